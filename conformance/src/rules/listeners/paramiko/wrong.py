said = {}


def refusal(attempt):
    """How a fresh connection answers one wish to log in."""
    transport = connect()
    try:
        attempt(transport)
        return "let in", []
    except paramiko.BadAuthenticationType as refused:
        return "not offered", sorted(refused.allowed_types)
    except paramiko.AuthenticationException:
        return "refused", []
    finally:
        transport.close()


said["none"], said["offered"] = refusal(lambda transport: transport.auth_none(USER))
key = paramiko.ECDSAKey.generate()
said["publickey"], _ = refusal(lambda transport: transport.auth_publickey(USER, key))
wrong = "wrong-token-canary-0123456789"
said["password"], _ = refusal(
    lambda transport: transport.auth_password(USER, wrong, fallback=False))
said["keyboard-interactive"], _ = refusal(
    lambda transport: transport.auth_interactive(USER, lambda *asked: [wrong for _ in asked[2]]))
print(json.dumps(said))
