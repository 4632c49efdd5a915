from concurrent.futures import ThreadPoolExecutor

with open(os.environ["TOKENS"]) as file:
    task = json.load(file)
tokens, ports = task["tokens"], task["ports"]


def offer(number, own):
    """Offers each of the tokens on a connection of its own: this library asks for the service
    again before a second try, which not every server answers."""
    let_in, heard = [], []
    for token in own:
        transport = paramiko.Transport((HOST, ports[number % len(ports)]))
        transport.start_client(timeout=10)
        try:
            transport.auth_password(USER, token, fallback=False)
            let_in.append(len(token))
        except paramiko.SSHException as refusal:
            heard.append(repr(refusal))
        transport.close()
    return let_in, heard


# A connection that has been closed may still be counted for a moment: two to a session.
lanes = 2 * len(ports)
with ThreadPoolExecutor(lanes) as pool:
    done = list(pool.map(offer, range(lanes), [tokens[lane::lanes] for lane in range(lanes)]))
print(json.dumps({
    "let_in": [length for let_in, _ in done for length in let_in],
    "heard": [text for _, heard in done for text in heard],
}))
