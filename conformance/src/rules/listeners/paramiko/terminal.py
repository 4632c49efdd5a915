transport = login()
channel = transport.open_session(timeout=10)
channel.settimeout(10)
channel.get_pty("xterm", 90, 33)
channel.invoke_shell()
seen = ""


def until(text):
    """What stands before the text; reading goes on behind it."""
    global seen
    while text not in seen:
        more = channel.recv(4096)
        if not more:
            sys.exit("the terminal ended: " + repr(seen))
        seen += more.decode()
    before, seen = seen.split(text, 1)
    return before


def size():
    until("$ ")
    channel.sendall(b"stty size\r")
    until("stty size\r\n")
    return until("\r\n")


first = size()
channel.resize_pty(81, 25)
second = size()
until("$ ")
channel.sendall(b"exit 12\r")
print(json.dumps({"first": first, "second": second, "status": channel.recv_exit_status()}))
transport.close()
