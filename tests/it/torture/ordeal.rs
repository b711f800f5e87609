//! One run: a copy, what goes wrong with it, the same command again until it is done, and what an independent reader finds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::afar::Afar;
use super::shape::{Shape, Way};
use super::trouble::{KINDS, Side, Trouble, When, troubles};
use crate::proxy::{Fault, Proxy};
use crate::runs::{Running, Seeded};
use crate::scripts;
use crate::servers::{Milvus, Server, lite_source, lite_target, root, source, target};
use crate::support::{Place, Workspace, act, fill, place};

const APPLY: [&str; 3] = ["apply", "--auto-approve", "plan.yaml"];
/// How often the command is run once nothing more is done to it from outside.
const MOST_APPLIES: usize = 12;

/// A run as the seed makes it.
#[derive(Debug, Clone)]
pub struct Case {
    pub number: u64,
    pub shape: Shape,
    pub troubles: Vec<Trouble>,
    /// Where the state lies in a bucket, the seed of what goes wrong on the way there.
    pub afar: Option<u64>,
}

impl Case {
    /// The run with this number. It can be had again without those before it.
    pub fn of(seed: u64, number: u64) -> Case {
        let mut random = Seeded::of(seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        let mut shape = Shape::of(seed, &mut random);
        let troubles = troubles(KINDS[number as usize % KINDS.len()], &shape, &mut random);
        if troubles.iter().any(|trouble| matches!(trouble, Trouble::KillServer(..))) {
            (shape.lite_source, shape.lite_target) = (false, false);
            // It takes most of a minute to come back, in which no number of quick attempts is enough.
            shape.retry = 60;
        }
        let way_there = random.below(u64::MAX);
        let afar = (number.is_multiple_of(2) && Afar::may(&troubles)).then_some(way_there);
        Case { number, shape, troubles, afar }
    }

    /// Whether it kills a server, and so needs some that nobody else uses.
    pub fn kills_servers(&self) -> bool {
        self.troubles.iter().any(|trouble| matches!(trouble, Trouble::KillServer(..)))
    }

    /// What it is, in a few lines.
    pub fn text(&self) -> String {
        let troubles = self.troubles.iter().map(|trouble| format!("\n    {trouble}"));
        let afar = if self.afar.is_some() { ", state in a bucket" } else { "" };
        format!("{}{afar}{}", self.shape, troubles.collect::<String>())
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Names of the troubles that really struck.
    pub struck: Vec<&'static str>,
    /// Exit codes of all attempts; none where it was killed.
    pub codes: Vec<Option<i32>>,
    /// Rows that the source has and the target does not, or not so.
    pub lost: u64,
    /// Rows that stand there more often than they should.
    pub doubled: u64,
}

/// The servers of some runs, and which sources were filled on them.
pub struct Servers {
    own: Option<[Server; 2]>,
    database: String,
    filled: Mutex<HashSet<String>>,
}

impl Servers {
    /// Those that all tests share.
    pub fn shared(database: &str) -> Servers {
        Servers { own: None, database: database.to_owned(), filled: Mutex::default() }
    }

    /// Two that may be killed.
    pub fn own(database: &str) -> Servers {
        Servers { own: Some([Milvus::start(), Milvus::start()]), ..Servers::shared(database) }
    }

    fn at(&self, side: Side, shape: &Shape) -> &Server {
        match (side, &self.own) {
            (Side::Source, Some([server, _])) | (Side::Target, Some([_, server])) => server,
            (Side::Source, None) if shape.lite_source => lite_source(),
            (Side::Source, None) => source(),
            (Side::Target, None) if shape.lite_target => lite_target(),
            (Side::Target, None) => target(),
        }
    }

    /// The collection that is read. The first run that needs it fills it.
    fn source(&self, shape: &Shape) -> Place {
        let name = format!("{}_{}", shape.preset(), shape.rows);
        let at = place(self.at(Side::Source, shape), &self.database, &name);
        let mut filled = self.filled.lock().unwrap_or_else(PoisonError::into_inner);
        if filled.insert(at.to_string()) {
            fill(&at, shape.preset(), &["--rows", &shape.rows.to_string()]);
        }
        at
    }
}

/// A run under way.
pub struct Ordeal<'a> {
    case: &'a Case,
    servers: &'a Servers,
    work: Workspace,
    afar: Option<Afar>,
    from: Place,
    to: Place,
    proxies: [Proxy; 2],
    said: String,
    pub outcome: Outcome,
}

impl<'a> Ordeal<'a> {
    /// Fills what has to be there, and puts the proxies and the plan in place.
    pub fn prepare(case: &'a Case, servers: &'a Servers) -> Ordeal<'a> {
        let shape = &case.shape;
        let from = servers.source(shape);
        let to = place(servers.at(Side::Target, shape), &servers.database, &format!("run_{}", case.number));
        if let Some(options) = shape.filled_before() {
            fill(&to, shape.preset(), &options.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let proxies = [Side::Source, Side::Target].map(|side| {
            let faults = case.troubles.iter().filter_map(|trouble| match trouble {
                Trouble::Network(at, fault) if *at == side => Some(*fault),
                _ => None,
            });
            Proxy::start(servers.at(side, shape).uri(), &faults.collect::<Vec<Fault>>())
        });
        let (afar, work) = match case.afar.map(|seed| Afar::prepare(case.number, &mut Seeded::of(seed))) {
            Some((afar, work)) => (Some(afar), work),
            None => (None, Workspace::new()),
        };
        let plan = shape.plan(
            (proxies[0].uri(), &from.database, &from.collection),
            (proxies[1].uri(), &to.database, &to.collection),
        );
        work.write("plan.yaml", &plan);
        Ordeal { case, servers, work, afar, from, to, proxies, said: String::new(), outcome: Outcome::default() }
    }

    /// Runs vecferry until it is done, whatever happens meanwhile. What is wrong then, if anything.
    pub fn endure(&mut self) -> Result<(), String> {
        let around = self.case.troubles.iter().filter(|trouble| !matches!(trouble, Trouble::Network(..)));
        for trouble in around {
            let (code, struck) = self.attempt(trouble);
            self.outcome.codes.push(code);
            if struck {
                self.outcome.struck.push(trouble.name());
            }
            self.check_code(code, Some(trouble))?;
            if code == Some(0) {
                break;
            }
        }
        for _ in 0..MOST_APPLIES {
            if self.outcome.codes.last() == Some(&Some(0)) {
                break;
            }
            let code = self.wait(self.start(&APPLY));
            self.outcome.codes.push(code);
            self.check_code(code, None)?;
        }
        for proxy in &self.proxies {
            self.outcome.struck.extend(proxy.struck().iter().map(|fault| fault.kind.name()));
            proxy.calm();
        }
        if let Some(afar) = &self.afar {
            self.outcome.struck.extend(afar.struck());
            afar.calm();
        }
        match self.outcome.codes.last() {
            Some(Some(0)) => Ok(()),
            _ => Err(format!("it is not done after {} attempts", self.outcome.codes.len())),
        }
    }

    /// What an independent reader finds, and whether vecferry finds anything left to do.
    pub fn judge(&mut self) -> Result<(), String> {
        let (from, to) = (self.from.to_string(), self.to.to_string());
        let compared = [&[from.as_str(), &to], self.case.shape.compared()].concat();
        let found = scripts::run("compare.py", &compared);
        let counted = found.json();
        let number = |what: &str, side: usize| counted[what][side].as_u64().unwrap_or_default();
        let plain = |what: &str| counted[what].as_u64().unwrap_or_default();
        self.outcome.lost = plain("missing") + plain("different");
        self.outcome.doubled = number("count", 1).saturating_sub(number("distinct", 1)) + plain("extra");
        if found.code != 0 {
            return Err(format!("the reader found: {} {}", found.out, found.err));
        }
        let look = self.start(&["plan", "--detailed-exitcode", "plan.yaml"]).wait();
        if look.code != Some(0) {
            return Err(format!("`plan` ends with {:?} although all is done\n{}{}", look.code, look.out, look.err));
        }
        act(&self.to, "drop", &[]);
        Ok(())
    }

    /// Everything that helps to find out why a run failed.
    pub fn evidence(&self) -> String {
        let mut journal = String::new();
        if let Some(afar) = &self.afar {
            let records = afar.at.records();
            journal.push_str(&records.iter().map(|record| format!("{record}\n")).collect::<String>());
        }
        for (path, bytes) in self.work.state_files() {
            if path.extension().is_some_and(|extension| extension == "journal") {
                journal.push_str(&format!("--- {}\n{}", path.display(), String::from_utf8_lossy(&bytes)));
            }
        }
        let struck = self.proxies.iter().flat_map(Proxy::struck).map(|fault| format!("{fault}; "));
        format!("struck: {}\n{}\n{journal}", struck.collect::<String>(), self.said)
    }

    fn attempt(&mut self, trouble: &Trouble) -> (Option<i32>, bool) {
        match trouble {
            Trouble::Network(..) => unreachable!("it is at its proxy"),
            Trouble::Kill(when) => {
                let mut run = self.start(&APPLY);
                if !self.comes(&mut run, *when) {
                    return (self.wait(run), false);
                }
                let alive = !run.has_ended();
                if !alive {
                    return (self.wait(run), false);
                }
                run.kill9();
                (None, true)
            }
            Trouble::Terminate(when) => {
                let mut run = self.start(&APPLY);
                let struck = self.comes(&mut run, *when) && !run.has_ended();
                if struck {
                    run.signal(Signal::TERM);
                }
                (self.wait(run), struck)
            }
            Trouble::KillServer(side, when) => {
                let mut run = self.start(&APPLY);
                let struck = self.comes(&mut run, *when);
                if struck {
                    let server = self.servers.at(*side, &self.case.shape);
                    server.kill9();
                    server.restart();
                }
                (self.wait(run), struck)
            }
            Trouble::FullDisk(kib) => {
                // The signal would kill it; ignored, each write beyond fails as on a full disk.
                let limit = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$0\" \"$@\"");
                let run = self.work.start_in_shell(&limit, &["apply", "--auto-approve", "plan.yaml"]);
                let code = self.wait(run);
                (code, code != Some(0))
            }
            Trouble::NoState => {
                let (state, aside) = (self.work.state(), self.work.path().join("aside"));
                let there = std::fs::rename(&state, &aside).is_ok();
                std::fs::write(&state, "a file").unwrap();
                let code = self.wait(self.start(&APPLY));
                std::fs::remove_file(&state).unwrap();
                if there {
                    std::fs::rename(&aside, &state).unwrap();
                }
                (code, true)
            }
            Trouble::Clock(shift, look) => {
                let (shift, look) = (shift.to_string(), look.to_string());
                let library = clock().to_str().unwrap();
                let variables = [("LD_PRELOAD", library), ("CLOCK_SHIFT", &shift), ("CLOCK_LOOK", &look)];
                (self.wait(self.work.start_with(&["apply", "--auto-approve", "plan.yaml"], &variables)), true)
            }
            Trouble::Second(when) => {
                let mut run = self.start(&APPLY);
                let struck = self.comes(&mut run, *when) && !run.has_ended();
                if struck {
                    let code = self.wait(self.start(&APPLY));
                    self.outcome.codes.push(code);
                    // Held against the rules with that of the first, where it is the one that stands out.
                    if !matches!(code, Some(0 | 5 | 10 | 11)) {
                        return (code, struck);
                    }
                }
                (self.wait(run), struck)
            }
        }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        let variables = self.afar.as_ref().map(|afar| afar.at.variables().to_vec()).unwrap_or_default();
        self.work.start_with(arguments, &variables)
    }

    fn journal(&self) -> Vec<serde_json::Value> {
        self.afar.as_ref().map_or_else(|| self.work.journal(), |afar| afar.at.records())
    }

    /// Waits for the moment; false if the run ends before.
    fn comes(&self, run: &mut Running, when: When) -> bool {
        let (started, before) = (Instant::now(), self.journal());
        loop {
            let come = match when {
                When::After(time) => started.elapsed() >= time,
                When::Record(kind, more) => {
                    let count = |journal: &[serde_json::Value]| journal.iter().filter(|it| it["type"] == kind).count();
                    count(&self.journal()) as u64 >= count(&before) as u64 + more
                }
            };
            if come || run.has_ended() {
                return come;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn wait(&mut self, run: Running) -> Option<i32> {
        let run = run.wait();
        self.said.push_str(&format!("--- ended with {:?}\n{}{}\n", run.code, run.out, run.err));
        run.code
    }

    /// Whether an attempt may end so.
    fn check_code(&self, code: Option<i32>, trouble: Option<&Trouble>) -> Result<(), String> {
        // Done; or a failure that says itself that the same command goes on.
        let mut may = vec![Some(0), Some(5)];
        match trouble {
            Some(Trouble::Kill(_)) => may.push(None),
            // While it reads its plan it does not listen yet, and the signal itself ends it.
            Some(Trouble::Terminate(_)) => may.extend([None, Some(130)]),
            Some(Trouble::FullDisk(_) | Trouble::NoState) => may.extend([Some(1), Some(3)]),
            // The one that comes second is locked out, or finds what it looked at changed by the first.
            Some(Trouble::Second(_)) => may.extend([Some(10), Some(11)]),
            _ => {}
        }
        // Without keys, what landed twice is seen by the proof alone, and then it starts over.
        if self.case.shape.way == Way::Lost {
            may.push(Some(4));
        }
        if may.contains(&code) {
            return Ok(());
        }
        Err(format!("an attempt ended with {code:?} beside {}", trouble.map_or("nothing", Trouble::name)))
    }
}

/// The library with the clock that jumps.
fn clock() -> &'static Path {
    static CLOCK: LazyLock<PathBuf> = LazyLock::new(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clock.so");
        let source = root().join("tests/support/clock.c");
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).status();
        assert!(made.is_ok_and(|status| status.success()), "a C compiler is needed for the clock that jumps");
        library
    });
    &CLOCK
}
