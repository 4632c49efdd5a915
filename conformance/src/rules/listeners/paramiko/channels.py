said = {}
transport = login()


def refused(attempt):
    try:
        attempt()
        return "given"
    except (paramiko.SSHException, EOFError):
        return "refused"


channels = []
try:
    while len(channels) < 12:
        channels.append(transport.open_session(timeout=10))
except paramiko.ChannelException:
    pass
said["channels"] = len(channels)
channels.pop().close()
# The server hears of the closing before it hears of the next wish.
channels.append(transport.open_session(timeout=10))
said["freed"] = True
for channel in channels:
    channel.close()
said["direct-tcpip"] = refused(
    lambda: transport.open_channel("direct-tcpip", ("127.0.0.1", 1), ("127.0.0.1", 2), timeout=10))
said["tcpip-forward"] = refused(lambda: transport.request_port_forward("127.0.0.1", 0))
said["x11"] = refused(lambda: transport.open_session(timeout=10).request_x11())
said["sftp"] = refused(lambda: transport.open_session(timeout=10).invoke_subsystem("sftp"))


def environment():
    # paramiko's own way asks for no answer.
    channel = transport.open_session(timeout=10)
    wish = paramiko.Message()
    wish.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
    wish.add_int(channel.remote_chanid)
    wish.add_string("env")
    wish.add_boolean(True)
    wish.add_string("LC_CANARY")
    wish.add_string("sung")
    channel._event_pending()
    transport._send_user_message(wish)
    channel._wait_for_event()


said["env"] = refused(environment)
channel = transport.open_session(timeout=10)
channel.request_forward_agent(lambda _: None)
channel.exec_command("echo ${SSH_AUTH_SOCK:-unset}")
said["agent"] = channel.makefile("rb").read().decode().strip()
said["alive"] = run(transport, "echo fine")[:2]
transport.close()
print(json.dumps(said))
