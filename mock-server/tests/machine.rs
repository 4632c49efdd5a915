//! The simulated machine without any listener: commands, files, pipelines,
//! and everything a stranger may throw at it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use mock_server::machine::{
    Ended, Input, Io, Login, Machine, MachineDescription, Output, Signal, Size, Terminal, pipe,
};
use tokio::sync::{mpsc, watch};

fn machine() -> Machine {
    let clock = Arc::new(|| "2026-01-05T09:00:00Z".parse().unwrap());
    Machine::standard(clock).unwrap()
}

async fn collect(mut end: mpsc::Receiver<Vec<u8>>) -> String {
    let mut all = Vec::new();
    while let Some(chunk) = end.recv().await {
        all.extend(chunk);
    }
    String::from_utf8_lossy(&all).into_owned()
}

struct Ran {
    out: String,
    err: String,
    ended: Ended,
}

async fn run(login: &Login, command: &str, stdin: &[u8]) -> Ran {
    let (out, out_end) = mpsc::channel(4);
    let (err, err_end) = mpsc::channel(4);
    let io = Io {
        stdin: Input::holding(stdin.to_vec()),
        stdout: Output::Pipe(out),
        stderr: Output::Pipe(err),
    };
    let (ended, out, err) =
        tokio::join!(login.exec(command, io), collect(out_end), collect(err_end));
    Ran { out, err, ended }
}

/// One command line as `ops`: what it writes and its status.
async fn sh(command: &str) -> (String, u8) {
    let ran = run(&machine().login("ops").unwrap(), command, b"").await;
    let Ended::Exit(status) = ran.ended else {
        unreachable!("{command}: {:?}", ran.ended);
    };
    (ran.out + &ran.err, status)
}

#[tokio::test]
async fn command_lines_do_what_a_shell_does() {
    for (command, expected, status) in [
        // Words, quotes, variables.
        ("echo a  b 'c  d' \"e  f\" g\\ h", "a b c  d e  f g h\n", 0),
        ("x=1 y='two words'; echo $x \"$y\" $y", "1 two words two words\n", 0),
        ("a='x  y'; echo $a; echo \"$a\"", "x y\nx  y\n", 0),
        ("echo ${none:-fall back} ${none-} ${HOME:+yes} ${#USER}", "fall back yes 3\n", 0),
        ("echo $(echo in; echo side) `echo ticks`", "in side ticks\n", 0),
        ("echo \"$(printf 'a\\n\\n')\"b", "ab\n", 0),
        ("echo ~ ~root ~/x", "/home/ops /root /home/ops/x\n", 0),
        ("echo it costs 5$ # not this", "it costs 5$\n", 0),
        ("echo '' | wc -c; printf '[%s]' '' a \"\"", "1\n[][a][]", 0),
        (
            "set -- a 'b c'; echo $# $1; for i in \"$@\"; do echo \"<$i>\"; done",
            "2 a\n<a>\n<b c>\n",
            0,
        ),
        // Lists and statuses.
        ("false; echo $?", "1\n", 0),
        ("true && echo yes || echo no", "yes\n", 0),
        ("false && echo yes || echo no", "no\n", 0),
        ("! false", "", 0),
        ("false | true; echo $?; true | false; echo $?", "0\n1\n", 0),
        ("(exit 4); echo $?", "4\n", 0),
        ("exit 300", "", 44),
        ("(cd /; pwd); pwd", "/\n/home/ops\n", 0),
        ("v=1; (v=2); echo $v; { v=3; }; echo $v", "1\n3\n", 0),
        ("if [ -d /etc ]; then echo dir; elif true; then echo x; else echo no; fi", "dir\n", 0),
        ("for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done", "1\n3\n", 0),
        ("while true; do echo once; break; done", "once\n", 0),
        ("FOO=bar env | grep FOO; echo [$FOO]", "FOO=bar\n[]\n", 0),
        // Streams and files.
        ("echo one > f; echo two >> f; cat f; wc -l < f", "one\ntwo\n2\n", 0),
        ("nothere 2> /dev/null; echo $?", "127\n", 0),
        ("{ echo out; echo err >&2; } 2>&1 | sort -r", "out\nerr\n", 0),
        ("echo x > /etc/passwd", "sh: 1: cannot create /etc/passwd: Permission denied\n", 2),
        ("cat < nope", "sh: 1: cannot open nope: No such file or directory\n", 2),
        ("cat /etc/shadow", "cat: /etc/shadow: Permission denied\n", 1),
        (
            "mkdir -p a/b; touch a/b/c; cp -r a d; mv d/b e; ls d; ls e; rm -r a; ls",
            "c\nd\ne\nnotes.txt\n",
            0,
        ),
        ("rm notes.txt nope", "rm: cannot remove 'nope': No such file or directory\n", 1),
        (
            "mkdir d; rmdir d; rmdir /etc",
            "rmdir: failed to remove '/etc': Directory not empty\n",
            1,
        ),
        ("mv /etc/hostname .", "mv: '/etc/hostname' to '.': Permission denied\n", 1),
        (
            "cp -r /tmp /tmp/x; mkdir q; mv q q/r",
            "cp: '/tmp' to '/tmp/x': Invalid argument\nmv: 'q' to 'q/r': Invalid argument\n",
            1,
        ),
        ("echo *; echo /etc/*name; echo '*' no*match", "notes.txt\n/etc/hostname\n* no*match\n", 0),
        ("cd /var/log; ls -l | tail -n 1", "-rw-r----- 1 root adm 294 Dec 24 04:26 app.log\n", 0),
        ("echo 'echo got $1' > s; ./s; echo $?", "126\nsh: 1: ./s: Permission denied\n", 0),
        ("echo 'echo got $1; exit 5' > s; chmod +x s; ./s arg", "got arg\n", 5),
        ("release 4.13", "releasing 4.13\ndone\n", 0),
        // Filters.
        (
            "grep -c ERROR /var/log/app.log; grep -n 'took=[0-9]*ms$' /var/log/app.log | cut -d: -f1",
            "1\n3\n",
            0,
        ),
        ("printf 'b\\na\\nb\\n' | sort | uniq -c", "      1 a\n      2 b\n", 0),
        ("seq 1 100 | head -n 3 | tail -n 1", "3\n", 0),
        ("seq 10 | tail -n +9", "9\n10\n", 0),
        ("echo a,b,c | cut -d, -f2- | tr 'a-z' 'A-Z'", "B,C\n", 0),
        ("printf '%-4s|%03d|%x\\n' ab 7 255", "ab  |007|ff\n", 0),
        ("yes | head -n 2", "y\ny\n", 0),
        ("yes > /dev/null", "", 0),
        // The machine.
        ("id", "uid=1000(ops) gid=1000(ops) groups=1000(ops),4(adm),27(sudo)\n", 0),
        ("uname -snm", "Linux web-01.acme-corp.example x86_64\n", 0),
        ("date; date +%s", "Mon Jan  5 09:00:00 UTC 2026\n1767603600\n", 0),
        ("date '+%'", "date: invalid format '%'\n", 1),
        ("uptime", " 09:00:00 up 12 days,  4:34,  1 user,  load average: 0.00, 0.01, 0.05\n", 0),
        ("systemctl is-active app; systemctl stop app", "active\nUnknown unit or verb.\n", 4),
        (
            "type cd ls; which ls nothere",
            "cd is a shell builtin\nls is /usr/bin/ls\n/usr/bin/ls\n",
            1,
        ),
        (
            "kill 1; kill 99999",
            "kill: (1) - Operation not permitted\nkill: (99999) - No such process\n",
            1,
        ),
        (
            "tty; stty size",
            "not a tty\nstty: 'standard input': Inappropriate ioctl for device\n",
            1,
        ),
        ("sh -c 'echo $0 $1; exit 6' zero one", "zero one\n", 6),
        // Sums.
        ("x=5; echo $((x * 2 + $x)) \"$(( (1 + 2) > 2 ))\" $(($(echo 4) % 3))", "15 1 1\n", 0),
        ("i=0; while [ $i -lt 3 ]; do i=$((i+1)); done; echo $i", "3\n", 0),
        ("echo $((1/0))", "sh: 1: arithmetic expression: division by zero: \"1/0\"\n", 2),
        ("x=$((1 +)); echo $?", "2\nsh: 1: arithmetic expression: expecting primary: \"1 +\"\n", 0),
        ("echo $((1", "sh: 1: Syntax error: end of file unexpected\n", 2),
        // What is no command.
        ("echo 'open", "sh: 1: Syntax error: end of file unexpected\n", 2),
        ("echo a | | b", "sh: 1: Syntax error: \"|\" unexpected\n", 2),
        ("sleep 5 &", "sh: 1: Syntax error: \"&\" unexpected\n", 2),
        ("", "", 0),
    ] {
        assert_eq!(sh(command).await, (expected.to_owned(), status), "{command}");
    }
}

#[tokio::test]
async fn logins_do_not_see_each_other() {
    let machine = machine();
    let (one, two) = (machine.login("ops").unwrap(), machine.login("ops").unwrap());
    run(&one, "echo mine > /tmp/mark", b"").await;
    assert_eq!(run(&one, "cat /tmp/mark", b"").await.out, "mine\n");
    assert_eq!(run(&two, "cat /tmp/mark", b"").await.ended, Ended::Exit(1));
}

#[tokio::test]
async fn guests_get_an_account_where_the_description_lets_them() {
    let guest = machine().login(r"CORP\alice").unwrap();
    assert_eq!(
        run(&guest, "whoami; pwd; touch x && ls", b"").await.out,
        "CORP\\alice\n/home/CORP\\alice\nx\n"
    );
    let closed = MachineDescription::from_yaml("guests: false").unwrap();
    let closed = Machine::new(closed, Arc::new(|| jiff::Timestamp::UNIX_EPOCH)).unwrap();
    assert!(closed.login("alice").is_none());
    assert!(closed.login("root").is_some());
}

#[tokio::test]
async fn a_kill_of_oneself_ends_the_login_by_that_signal() {
    let login = machine().login("ops").unwrap();
    let ran = run(&login, "echo before; (kill -INT $$); echo after", b"").await;
    assert_eq!((ran.out.as_str(), ran.ended), ("before\n", Ended::Killed(Signal::Interrupt)));
}

#[tokio::test]
async fn descriptions_that_contradict_themselves_are_refused_with_the_place() {
    for (yaml, said) in [
        ("hostnam: x", "hostnam"),
        ("files: [{path: etc/x, content: a}]", "etc/x"),
        ("files: [{path: /a, content: x}, {path: /a/b, content: y}]", "/a/b"),
        ("files: [{path: /a, content: x, mode: '9'}]", "\"9\""),
        ("files: [{path: /a, content: x, owner: nobody}]", "nobody"),
        ("commands: [{run: '*', stdout: x}]", "no words"),
        ("users: [{name: a, uid: 1}, {name: a, uid: 2}]", "twice"),
    ] {
        let made = MachineDescription::from_yaml(yaml).and_then(|description| {
            Machine::new(description, Arc::new(|| jiff::Timestamp::UNIX_EPOCH))
        });
        let error = made.expect_err(yaml).to_string();
        assert!(error.contains(said), "{yaml}: {error}");
    }
}

#[tokio::test]
async fn greed_has_bounds() {
    let begun = Instant::now();
    let (out, _) = sh("yes > big; wc -c < big").await;
    assert!(out.contains("No space left on device"), "{out}");
    let bytes: usize = out.lines().next().unwrap().parse().unwrap();
    assert!(bytes <= 16 * 1024 * 1024, "{bytes}");
    let (out, _) = sh("x=aaaaaaaaaaaaaaaa; while true; do x=$x$x || exit 9; done").await;
    assert!(out.contains("Out of space"), "{out}");
    let (out, _) = sh("echo 'sh ./me' > me; sh ./me").await;
    assert!(out.contains("Cannot fork"), "{out}");
    let deep = format!("{}true{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(sh(&deep).await.1, 2);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn dropping_a_login_stops_even_a_loop_that_never_waits() {
    let login = machine().login("ops").unwrap();
    let io = Io { stdin: Input::empty(), stdout: Output::Nowhere, stderr: Output::Nowhere };
    let endless = login.exec("while true; do :; done", io);
    assert!(tokio::time::timeout(Duration::from_millis(100), endless).await.is_err());
}

#[tokio::test]
async fn a_stream_is_handed_on_while_it_comes() {
    let login = machine().login("ops").unwrap();
    let (typed, stdin) = pipe();
    let (out, mut shown) = mpsc::channel(4);
    let io = Io { stdin, stdout: Output::Pipe(out), stderr: Output::Nowhere };
    let talk = async {
        for line in ["one\n", "two\n"] {
            typed.send(line.into()).await.unwrap();
            assert_eq!(shown.recv().await.unwrap(), line.to_uppercase().into_bytes());
        }
        drop(typed);
        assert_eq!(shown.recv().await, None);
    };
    let (ended, ()) = tokio::join!(login.exec("cat | tr a-z A-Z", io), talk);
    assert_eq!(ended, Ended::Exit(0));
}

/// A small generator, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }
}

const SCRAPS: &[&str] = &[
    "echo",
    "cat",
    "ls -la",
    "|",
    "||",
    "&&",
    ";",
    ">",
    ">>",
    "<",
    "2>&1",
    "f",
    "/etc",
    "*",
    "[a-",
    "?",
    "'",
    "\"",
    "\\",
    "$",
    "${",
    "}",
    "$(",
    ")",
    "(",
    "`",
    "{",
    "if",
    "then",
    "fi",
    "for i in",
    "do",
    "done",
    "while",
    "!",
    "#",
    "\n",
    " ",
    "~",
    "x=",
    "$x",
    "${x:-",
    "漢",
    "\u{301}",
    "\0",
    "-n",
    "head -c 3",
    "tail -n +2",
    "sort -k2",
    "printf %s%d",
    "test",
    "[",
    "]",
    "cut -c1-",
    "tr a-",
    "grep ^a*$",
    "cd ..",
    "rm -rf /",
    "mv f f/g",
    "kill $$",
    "sleep 0",
    "read x",
    "exit",
    "seq 3",
    "wc",
    "99999999999999999999",
    "-9223372036854775808",
    "chmod u+x",
    "mkdir -p a/b",
    "&",
    "env",
    "sh -c",
];

#[tokio::test]
async fn no_command_line_makes_it_panic_or_hang() {
    let mut dice = Dice(0x5eed_0001_2345_6789);
    for round in 0..1500 {
        let mut command = String::new();
        for _ in 0..=dice.roll(14) {
            command.push_str(SCRAPS[dice.roll(SCRAPS.len())]);
            if dice.roll(3) > 0 {
                command.push(' ');
            }
        }
        let login = machine_for_round(round).login("ops").unwrap();
        let running = tokio::spawn(async move {
            let ran =
                tokio::time::timeout(Duration::from_secs(2), run(&login, &command, b"a b\nc\n"))
                    .await;
            // Loops that never end are fine; they end when they are dropped.
            (ran.is_ok() || command.contains("while"), command)
        });
        let (fine, command) = running.await.expect("a panic");
        assert!(fine, "round {round}: {command:?}");
    }
}

/// Building the tree is the costly part, so a few rounds share a machine.
fn machine_for_round(round: u32) -> Machine {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<Machine>> = const { std::cell::RefCell::new(None) };
    }
    KEPT.with_borrow_mut(|kept| {
        if round.is_multiple_of(500) {
            *kept = Some(machine());
        }
        kept.clone().unwrap()
    })
}

#[tokio::test]
async fn no_keys_make_the_terminal_panic_or_hang() {
    let mut dice = Dice(0x5eed_0002_2345_6789);
    for round in 0..300 {
        let login = machine_for_round(round).login("ops").unwrap();
        let (keys, input) = mpsc::channel(64);
        let (output, mut screen) = mpsc::channel(64);
        let columns = u16::try_from(dice.roll(30)).unwrap();
        let size = watch::Sender::new(Size { columns, rows: 5 });
        let terminal = Terminal::new(input, output, size.subscribe());
        let mut all = Vec::new();
        for _ in 0..dice.roll(200) {
            let byte = u8::try_from(dice.roll(256)).unwrap();
            match dice.roll(4) {
                0 => all.push(byte),
                1 => all.extend(SCRAPS[dice.roll(SCRAPS.len())].bytes()),
                2 => all
                    .extend([b"\x1b[A".as_slice(), b"\x1b[D", b"\t", b"\x17", b"\r"][dice.roll(5)]),
                _ => all.push(b'a'),
            }
        }
        let person = async {
            for part in all.chunks(7) {
                let columns = u16::try_from(part.len() * 5).unwrap();
                size.send_replace(Size { columns, rows: 3 });
                if keys.send(part.to_vec()).await.is_err() {
                    break;
                }
            }
            // ^C ends whatever still runs, and then nobody is there any more.
            let _ = keys.send(vec![3, 3]).await;
            drop(keys);
        };
        let looking = async { while screen.recv().await.is_some() {} };
        let running = async { tokio::join!(login.interactive(terminal), person, looking) };
        let ended = tokio::time::timeout(Duration::from_secs(10), running).await;
        assert!(ended.is_ok(), "round {round}: {:?}", String::from_utf8_lossy(&all));
    }
}
