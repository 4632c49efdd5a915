said = {}
transport = connect()
try:
    transport.auth_none(USER)
except paramiko.BadAuthenticationType as refusal:
    said["offered"] = sorted(refusal.allowed_types)
try:
    transport.auth_publickey(USER, paramiko.RSAKey.generate(1024))
    said["publickey"] = "accepted"
except paramiko.BadAuthenticationType:
    said["publickey"] = "not offered"
except paramiko.AuthenticationException:
    said["publickey"] = "tried"
transport.close()
transport = connect()
tries = 0
for _ in range(6):
    try:
        transport.auth_password(USER, "wrong-token-canary-0123456789", fallback=False)
    except paramiko.BadAuthenticationType:
        # No method is left; the token was judged all the same.
        tries += 1
        break
    except paramiko.AuthenticationException:
        tries += 1
    except (paramiko.SSHException, EOFError):
        break
    if not transport.is_active():
        break
said["tries"] = tries
try:
    transport.open_session(timeout=2)
    said["open"] = True
except (paramiko.SSHException, EOFError):
    said["open"] = False
transport.close()
print(json.dumps(said))
