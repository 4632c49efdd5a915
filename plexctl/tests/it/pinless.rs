//! The mock's API with the pins taken out of its endpoints, as a server without pins answers.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::mock::{DEV_TOKEN, Mock};
use crate::stage::receive;

pub(crate) struct Api {
    pub(crate) url: String,
}

/// Stands in front of a mock until the test ends.
pub(crate) fn in_front_of(mock: &Mock) -> Api {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let behind = mock.url.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            let Some(request) = receive(&mut stream) else { continue };
            let mut far = TcpStream::connect(&behind).unwrap();
            write!(
                far,
                "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {DEV_TOKEN}\r\n\
                 content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\
                 \r\n{}",
                request.path,
                request.body.len(),
                request.body
            )
            .unwrap();
            let mut answer = String::new();
            std::io::Read::read_to_string(&mut far, &mut answer).unwrap();
            let body = answer.split_once("\r\n\r\n").unwrap().1;
            let (before, after) = body.split_once(";fingerprint=SHA256:").unwrap();
            let body = format!("{before}@{}", after.split_once('@').unwrap().1);
            write!(
                stream,
                "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    Api { url }
}
