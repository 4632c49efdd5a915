from concurrent.futures import ThreadPoolExecutor

with open(os.environ["TOKENS"]) as file:
    task = json.load(file)
tokens, ports = task["tokens"], task["ports"]
os.environ.pop("TOKEN", None)


def offer(number, own):
    """Offers each of the tokens, three on a connection, as a patient guesser would."""
    offered, let_in, heard, transport = 0, [], [], None
    for at, token in enumerate(own):
        if at % 3 == 0:
            if transport:
                transport.close()
            transport = paramiko.Transport((HOST, ports[number % len(ports)]))
            transport.start_client(timeout=10)
        try:
            transport.auth_password(USER, token, fallback=False)
            let_in.append(at)
        except paramiko.SSHException as refusal:
            heard.append(repr(refusal))
        offered += 1
    if transport:
        transport.close()
    return offered, let_in, heard


# A connection that has been closed may still be counted for a moment: three to a session.
lanes = 3 * len(ports)
with ThreadPoolExecutor(lanes) as pool:
    done = list(pool.map(offer, range(lanes), [tokens[lane::lanes] for lane in range(lanes)]))
print(json.dumps({
    "offered": sum(offered for offered, _, _ in done),
    "let_in": [at for _, let_in, _ in done for at in let_in],
    "heard": [text for _, _, heard in done for text in heard],
}))
