//! What a plan says about one field, and the dice that decide it.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A list of numbers that decides, one after another.
#[derive(Debug, Clone)]
pub struct Dice {
    numbers: Vec<u32>,
    next: usize,
}

pub fn dice() -> BoxedStrategy<Dice> {
    prop::collection::vec(any::<u32>(), 160).prop_map(|numbers| Dice { numbers, next: 0 }).boxed()
}

impl Dice {
    pub fn below(&mut self, limit: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or_default();
        self.next += 1;
        number as usize % limit.max(1)
    }

    /// True in one of so many cases.
    pub fn one_in(&mut self, cases: usize) -> bool {
        self.below(cases) == cases - 1
    }

    pub fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

/// What is being said about one field of the target.
pub struct Said {
    pub name: String,
    pub members: Map<String, Value>,
    /// Its type in the end.
    pub kind: &'static str,
    /// Whether its values may be null when they come in.
    pub may_be_null: bool,
}

impl Said {
    pub fn new(name: &str, kind: &'static str, members: Value, may_be_null: bool) -> Self {
        let members = members.as_object().cloned().unwrap_or_default();
        Self { name: name.to_owned(), members, kind, may_be_null }
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.members.insert(key.to_owned(), value.into());
    }

    pub fn is_defaulted(&self) -> bool {
        self.members.get("default").is_some_and(|default| !default.is_null())
    }

    /// Gives it a type, and what goes with the type.
    pub fn retype(&mut self, kind: &'static str, dice: &mut Dice) {
        self.kind = kind;
        self.set("type", kind);
        if kind == "varchar" {
            self.set("max_length", dice.pick(&[200, 24, 4]));
        } else if kind == "array" {
            let element = dice.pick(&["varchar", "int64", "int8", "double", "float", "bool"]);
            self.set("element_type", element);
            self.set("max_capacity", dice.pick(&[16, 3]));
            if element == "varchar" {
                self.set("max_length", dice.pick(&[200, 4]));
            }
        }
    }

    /// Says what becomes of nulls. 2.3.5 holds none.
    pub fn nulls(&mut self, dice: &mut Dice, lite: bool, was_nullable: bool) {
        let default = match self.kind {
            "bool" => Some(json!(false)),
            "varchar" => Some(json!("d")),
            "json" | "array" | "float16_vector" | "vector" => None,
            _ => Some(json!(7)),
        };
        if lite && dice.below(3) < 2 {
            self.set("nullable", true);
            if dice.one_in(4) {
                self.set("on_null", "keep");
            }
            return;
        }
        if was_nullable || dice.one_in(4) {
            self.set("nullable", false);
        }
        match default {
            Some(default) if dice.below(4) < 3 => {
                self.set("default", default);
                if dice.one_in(2) {
                    self.set("on_null", "default");
                }
            }
            _ => {
                self.set("on_null", "reject");
                if !dice.one_in(8) {
                    self.set("on_misfit", "quarantine");
                }
            }
        }
    }

    /// Says what becomes of values that do not fit.
    pub fn misfits(&mut self, dice: &mut Dice, is_key: bool) {
        if self.members.contains_key("on_misfit") {
            return;
        }
        let mut choices = vec!["quarantine", "quarantine", "quarantine"];
        let takes_null = self.members.get("nullable") == Some(&json!(true)) || self.is_defaulted();
        if takes_null && self.members.get("on_null") != Some(&json!("reject")) && !is_key {
            choices.extend(["null", "null"]);
        }
        if ["varchar", "array"].contains(&self.kind) && self.members.contains_key("type") && !is_key {
            choices.push("truncate");
        }
        if dice.one_in(10) {
            choices = vec!["fail"];
        }
        self.set("on_misfit", dice.pick(&choices));
    }
}
