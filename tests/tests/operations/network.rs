//! Connections: by name, by number, by what a shell brings of its own. Nothing leaves the machine: a
//! listener of the test is what is connected to.

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::thread;

use tests::{Guard, find, run};

/// No program may reach `localhost` by that name, nor the port 9 of any address; nothing may listen
/// for others.
fn policy(more: &str) -> String {
    format!(
        "version: '1'\ndefault_action: allow\npolicies:
  - name: net
    match: {{tool: [connect, listen], by: program}}
    rules:
      - name: sealed
        action: deny
        when: {more}
"
    )
}

/// A kind of program, its arguments (one a line), its input; `@P` is the port, `@H` the host.
const ROWS: &[(&str, &str, &str)] = &[
    ("python3", "-", "import socket; socket.create_connection(('@H', @P)).send(b'sent')"),
    (
        "node",
        "-e\nrequire('net').connect(@P, '@H').on('error', (e) => console.log(e.code)).end('sent')",
        "",
    ),
    (
        "perl",
        "-MIO::Socket::INET\n-e\n(IO::Socket::INET->new('@H:@P') or die qq($@\\n))->print('sent')",
        "",
    ),
    (
        "perl",
        "-MSocket\n-e\nsocket(S, PF_INET, SOCK_STREAM, 0); $a = gethostbyname('@H') or die; connect(S, pack_sockaddr_in(@P, $a)) or die qq($!\\n); syswrite(S, 'sent')",
        "",
    ),
    ("ruby", "-rsocket\n-e\nTCPSocket.new('@H', @P).write('sent')", ""),
    ("php", "-r\nfwrite(fsockopen('@H', @P), 'sent');", ""),
    ("bash", "", "exec 3<>/dev/tcp/@H/@P && echo sent >&3"),
];

/// What came to a fresh listener while `act` did its work with the port.
fn received(act: impl FnOnce(u16)) -> usize {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let (done, is_done) = std::sync::mpsc::channel::<()>();
    let counting = thread::spawn(move || {
        let mut bytes = 0;
        loop {
            let is_over = is_done.try_recv().is_ok();
            while let Ok((mut stream, _)) = listener.accept() {
                stream.set_nonblocking(false).unwrap();
                let timeout = std::time::Duration::from_millis(500);
                stream.set_read_timeout(Some(timeout)).unwrap();
                bytes += stream.read(&mut [0; 64]).unwrap_or(0);
            }
            if is_over {
                return bytes;
            }
            thread::sleep(std::time::Duration::from_millis(5));
        }
    });
    act(port);
    done.send(()).unwrap();
    counting.join().unwrap()
}

#[test]
fn a_rule_on_a_name_holds_for_every_program() {
    let guard = Guard::new(&policy("{domain_matches: [localhost]}"));
    let mut wrong = Vec::new();
    for (program, arguments, input) in ROWS {
        let Some(path) = find(program) else {
            println!("skipped: {program} (not installed)");
            continue;
        };
        for (host, is_refused) in [("localhost", true), ("127.0.0.1", false)] {
            guard.forget();
            let mut ran = None;
            let count = received(|port| {
                let fill = |text: &str| text.replace("@P", &port.to_string()).replace("@H", host);
                let mut command = guard.command(&path);
                command.args(arguments.split('\n').filter(|text| !text.is_empty()).map(fill));
                ran = Some(run(&mut command, &fill(input)));
            });
            let ran = ran.unwrap();
            let events = guard.events();
            let denied = events.iter().any(|event| {
                event["tool"] == "connect"
                    && event["outcome"] == "denied"
                    && event["url"]
                        .as_str()
                        .is_some_and(|url| url.starts_with("socket://localhost:"))
            });
            let said = ran.stderr.contains("rampart: denied: ");
            if (count == 0, denied, said) != (is_refused, is_refused, is_refused) {
                wrong.push(format!("{program} → {host}: {count} bytes, {ran:?}, {events:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// curl knows `localhost` by itself, and looks other names up in a thread of its own.
#[test]
fn curl_by_the_machine_s_name() {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let is_known = std::net::ToSocketAddrs::to_socket_addrs(&(name.as_str(), 9)).is_ok();
    let (true, Some(curl)) = (is_known, find("curl")) else {
        println!("skipped: {name} has no address, or curl is not installed");
        return;
    };
    // What resolves names without libc is judged by the address alone: a listed gap.
    let guard = Guard::new(&policy("{domain_matches: [localhost]}"));
    let ran = run(guard.command(&curl).args(["-s", "--max-time", "5", "http://localhost:9/"]), "");
    assert!(!ran.stderr.contains("rampart: denied: "), "{ran:?}");
    let guard = Guard::new(&policy(&format!("{{domain_matches: ['{name}']}}")));
    let url = format!("http://{name}:9/");
    let ran = run(guard.command(curl).args(["-s", "-S", "--max-time", "5", &url]), "");
    assert!(
        ran.status != 0 && ran.stderr.contains("rampart: denied: connect(socket://"),
        "{ran:?}"
    );
}

#[test]
fn a_rule_on_an_address_holds_whatever_the_name() {
    let guard = Guard::new(&policy("{url_matches: ['socket://127.0.0.1:**']}"));
    for host in ["localhost", "127.0.0.1"] {
        let count = received(|port| {
            let script = format!(
                "import socket\ntry: socket.create_connection(('{host}', {port})).send(b'sent')\nexcept OSError as e: print(e.errno)"
            );
            let ran = run(guard.command("python3").arg("-"), &script);
            assert_eq!(ran.stdout, "13\n", "{ran:?}");
        });
        assert_eq!(count, 0, "{host}");
    }
    // IPv6, and a port alone.
    let guard = Guard::new(&policy("{url_matches: ['socket://*:9']}"));
    let script = "import socket
for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
    s = socket.socket(family)
    try: s.connect((host, 9))
    except OSError as e: print(e.errno)
";
    let ran = run(guard.command("python3").arg("-"), script);
    assert_eq!(ran.stdout, "13\n13\n", "{ran:?}");
    assert!(ran.stderr.contains("connect(socket://127.0.0.1:9) to connect, by "), "{ran:?}");
}

#[test]
fn datagrams_and_listeners() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    socket.set_nonblocking(true).unwrap();
    let guard = Guard::new(&policy(&format!(
        "{{any: [{{url_matches: ['socket://127.0.0.1:{port}']}}, {{url_matches: ['socket://0.0.0.0:*']}}]}}"
    )));
    let script = format!(
        "import socket
def attempt(what):
    try: what()
    except OSError as e: print(e.errno)
    else: print('ok')
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
attempt(lambda: s.sendto(b'x', ('127.0.0.1', {port})))
attempt(lambda: s.sendmsg([b'x'], [], 0, ('127.0.0.1', {port})))
attempt(lambda: s.connect(('127.0.0.1', {port})))
attempt(lambda: socket.socket().bind(('0.0.0.0', 0)))
attempt(lambda: socket.socket().bind(('127.0.0.1', 0)))
attempt(lambda: socket.socket().listen())
a, b = socket.socketpair()
attempt(lambda: a.sendall(b'x'))
"
    );
    let ran = run(guard.command("python3").arg("-"), &script);
    assert_eq!(ran.stdout, "13\n13\n13\n13\nok\n13\nok\n", "{ran:?}");
    assert!(socket.recv(&mut [0; 8]).is_err(), "nothing arrived");
}
