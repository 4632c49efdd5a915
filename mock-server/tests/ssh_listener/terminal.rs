//! A person at a terminal: line editing, signals, window changes.

use crate::door::{have, open, text};
use crate::library::{Person, exec, login};

const PROMPT: &str = "ops@web-01:~$ ";

#[tokio::test(flavor = "multi_thread")]
async fn openssh_with_a_terminal_gives_a_prompt_and_a_status() {
    if !have("ssh") {
        return;
    }
    let session = open().await;
    let output = session.run(&["-tt"], b"echo typed; tty; exit 3\r").await;
    let screen = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{screen}");
    assert!(screen.contains(PROMPT), "{screen:?}");
    assert!(screen.contains("\r\ntyped\r\n/dev/pts/0\r\n"), "{screen:?}");
    let output = session.run(&["-tt", "stty size; exit 4"], b"").await;
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_edit_the_line() {
    let session = open().await;
    let handle = login(&session).await;
    let mut person = Person::at(&handle, 80, 24).await;
    person.expect(PROMPT).await;
    for (keys, shown) in [
        ("echo $TERM\r", "\nxterm\r\n"),
        ("echo $((1 / 0)); echo still\r", "\nstill\r\n"),
        // A mistake rubbed out, also of a wide character.
        ("echo wrongx\x7f\x7f\x7f\x7f\x7f\x7fright\r", "\nright\r\n"),
        ("echo a漢\x7fb\r", "\nab\r\n"),
        // To the start, to the end, cut, paste.
        ("cho x\x01e\x05y\r", "\nxy\r\n"),
        ("nonsense\x15echo cut\r", "\ncut\r\n"),
        ("echo one two\x17three\r", "\none three\r\n"),
        ("tail\x01\x0becho kept\r", "\nkept\r\n"),
        // Arrows, and the history.
        ("echo ac\x1b[Db\r", "\nabc\r\n"),
        ("\x1b[A\r", "\nabc\r\n"),
        ("\x1b[A\x1b[A\x1b[B!\r", "\nabc!\r\n"),
        // Tab completes a command and a file.
        ("hostn\t\r", "\nweb-01.acme-corp.example\r\n"),
        ("head -n 1 no\t\r", "\ndeploys happen from"),
        // An open quote goes on on the next line.
        ("echo 'a\rb'\r", "\na\r\nb\r\n"),
        ("echo ünïcödé\r", "\nünïcödé\r\n"),
    ] {
        person.type_in(keys).await;
        person.expect(shown).await;
        person.expect(PROMPT).await;
    }
    person.type_in("exit 5\r").await;
    person.expect("exit 5\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn control_keys_reach_a_running_command() {
    let session = open().await;
    let handle = login(&session).await;
    let mut person = Person::at(&handle, 80, 24).await;
    person.expect(PROMPT).await;
    person.type_in("sleep 1000\r").await;
    person.expect("sleep 1000\r\n").await;
    person.type_in("\x03").await;
    person.expect("^C\r\n").await;
    person.expect(PROMPT).await;
    person.type_in("echo $?\r").await;
    person.expect("\n130\r\n").await;
    // A flood stops too.
    person.type_in("yes\r").await;
    person.expect("y\r\ny\r\n").await;
    person.type_in("\x03").await;
    person.expect(PROMPT).await;
    // A reader gets whole lines, edited, and ^D is its end.
    person.type_in("cat; echo done\r").await;
    person.expect("done\r\n").await;
    person.type_in("helo\x7flo\r").await;
    person.expect("\nhello\r\n").await;
    person.type_in("\x04").await;
    person.expect("done\r\n").await;
    // What is typed while nobody reads is the next command.
    person.type_in("sleep 0.3\recho ahead\r").await;
    person.expect("\nahead\r\n").await;
    person.expect(PROMPT).await;
    person.type_in("\x04").await;
    person.expect("exit\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_change_is_seen() {
    let session = open().await;
    let handle = login(&session).await;
    let mut person = Person::at(&handle, 90, 33).await;
    person.expect(PROMPT).await;
    person.type_in("stty size\r").await;
    person.expect("\n33 90\r\n").await;
    person.expect(PROMPT).await;
    person.channel.window_change(40, 10, 0, 0).await.unwrap();
    // The prompt is drawn anew for the new width.
    person.expect(PROMPT).await;
    person.type_in("stty size\r").await;
    person.expect("\n10 40\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_one_session_share_its_files() {
    let session = open().await;
    let (one, two) = (login(&session).await, login(&session).await);
    let mut person = Person::at(&one, 80, 24).await;
    person.expect(PROMPT).await;
    person.type_in("echo start > log; tail -f log\r").await;
    person.expect("\nstart\r\n").await;
    assert_eq!(exec(&two, "echo from afar >> log").await.1, Some(0));
    person.expect("from afar\r\n").await;
    person.type_in("\x03").await;
    person.expect(PROMPT).await;
    // Another session sees none of it.
    let other = open().await;
    assert_eq!(exec(&login(&other).await, "cat log").await.1, Some(1));
}
