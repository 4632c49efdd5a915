import base64, hashlib, json, os, sys
import paramiko

USER, HOST, PORT = os.environ["LOGIN_USER"], os.environ["LOGIN_HOST"], int(os.environ["LOGIN_PORT"])
TOKEN = os.environ["TOKEN"]


def connect():
    """A connection whose host key is the pin; nobody has logged in yet."""
    transport = paramiko.Transport((HOST, PORT))
    transport.start_client(timeout=10)
    digest = hashlib.sha256(transport.get_remote_server_key().asbytes()).digest()
    pin = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    if pin != os.environ["LOGIN_PIN"]:
        sys.exit("the host key is " + pin)
    return transport


def login():
    transport = connect()
    transport.auth_password(USER, TOKEN)
    return transport


def run(transport, command, typed=b""):
    channel = transport.open_session(timeout=10)
    channel.settimeout(10)
    channel.exec_command(command)
    channel.sendall(typed)
    channel.shutdown_write()
    out, err = channel.makefile("rb").read(), channel.makefile_stderr("rb").read()
    return [channel.recv_exit_status(), out.decode(), err.decode()]
