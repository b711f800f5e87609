//! Functions: the source's, with its fields under their new names, and those of the plan.

use super::Remarks;
use super::fields::{Plan, Planned, Subject};
use crate::collection::{DataType, Field, Function, FunctionKind};
use crate::plan::resolved::FieldSettings;

/// The target's functions. Fields that only a function of the plan fills are made here; fields that only a dropped one
/// filled go with it.
pub(super) fn functions(subject: &Subject<'_>, plan: &mut Plan, found: &mut Remarks) -> Vec<Function> {
    let mut functions = Vec::new();
    for function in &subject.source.functions {
        let outputs_dropped =
            !function.outputs.is_empty() && function.outputs.iter().all(|name| subject.settings.drop.contains(name));
        match subject.settings.functions.get(&function.name) {
            Some(None) => gone(function, outputs_dropped, plan, found),
            Some(Some(_)) => found.block(
                None,
                format!("the source has a function `{}` already", function.name),
                format!("give the new one another name; `functions: {{{}: none}}` drops the source's", function.name),
            ),
            None if outputs_dropped => {
                found.note(None, format!("function `{}` goes with the fields it fills", function.name));
            }
            None => functions.push(carried(function, plan, found)),
        }
    }
    for (name, said) in &subject.settings.functions {
        let Some(said) = said else {
            if !subject.source.functions.iter().any(|function| function.name == *name) {
                found.block(None, format!("the source has no function `{name}` to drop"), "take it out of `functions`");
            }
            continue;
        };
        let function = Function {
            name: name.clone(),
            description: said.description.clone(),
            kind: said.kind,
            inputs: said.inputs.clone(),
            outputs: said.outputs.clone(),
            params: said.params.clone(),
        };
        added(&function, plan, found);
        functions.push(function);
    }
    functions
}

/// A function that the plan drops.
fn gone(function: &Function, outputs_dropped: bool, plan: &mut Plan, found: &mut Remarks) {
    for output in &function.outputs {
        let carried = plan.carriers.get(output).is_some_and(|carrier| carrier != output);
        if carried {
            found.block(
                Some(output),
                format!("function `{}` is dropped, and what it computed cannot be read", function.name),
                "take the field out of `fields`, or keep the function",
            );
        }
    }
    plan.fields.retain(|planned| !function.outputs.contains(&planned.field.name) || !planned.field.function_output);
    if !outputs_dropped {
        let fields = function.outputs.join(", ");
        found.note(None, format!("function `{}` is dropped with what it fills: {fields}", function.name));
    }
}

/// A function of the source, with its fields under their names on the target.
fn carried(function: &Function, plan: &Plan, found: &mut Remarks) -> Function {
    let mut renamed = function.clone();
    for name in renamed.inputs.iter_mut().chain(&mut renamed.outputs) {
        match plan.carriers.get(name) {
            Some(carrier) => name.clone_from(carrier),
            None => found.block(
                Some(name),
                format!("function `{}` needs this field, so it cannot be dropped alone", function.name),
                format!("drop the function's outputs too: {}", function.outputs.join(", ")),
            ),
        }
    }
    renamed
}

/// A function that the source does not have.
fn added(function: &Function, plan: &mut Plan, found: &mut Remarks) {
    if function.kind != FunctionKind::Bm25 {
        let message = format!("function `{}` ({}): vecferry adds BM25 functions only", function.name, function.kind);
        found.block(None, message, "others need a model behind the server; add it on the target afterwards");
        return;
    }
    for name in &function.inputs {
        let Some(planned) = plan.fields.iter().find(|planned| planned.field.name == *name) else {
            let message = format!("function `{}` reads a field that the target does not have", function.name);
            found.block(Some(name), message, "name a field of the target in `input_fields`");
            continue;
        };
        let field = &planned.field;
        let analyzed = field.params.get("enable_analyzer").is_some_and(|on| on == "true");
        if !(field.data_type == DataType::VarChar && analyzed) {
            found.block(
                Some(name),
                format!("BM25 reads VARCHAR with an analyzer, and this is {}", field.type_text()),
                format!("say `fields: {{{name}: {{enable_analyzer: true}}}}`"),
            );
        }
    }
    for name in &function.outputs {
        if let Some(planned) = plan.fields.iter().find(|planned| planned.field.name == *name) {
            let message = format!(
                "function `{}` would compute this field, which holds the source's {} already",
                function.name,
                planned.field.type_text()
            );
            found.block(Some(name), message, format!("give the output another name, or say `drop: [{name}]`"));
            continue;
        }
        let field = Field { function_output: true, ..Field::new(name, DataType::SparseFloatVector) };
        plan.fields.push(Planned { field, origin: None, settings: FieldSettings::default() });
    }
}

/// Fields that BM25 fills, with the field that it reads.
pub(super) fn searched(functions: &[Function]) -> Vec<(String, String)> {
    functions
        .iter()
        .filter(|function| function.kind == FunctionKind::Bm25)
        .filter_map(|function| Some((function.outputs.first()?.clone(), function.inputs.first()?.clone())))
        .collect()
}
