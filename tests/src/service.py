"""A service that rules ask: each path of it answers in another way. What it was asked is written to
a file, with whether the signature is what the shared key makes of the request."""

import hashlib
import hmac
import http.server
import json
import ssl
import sys
import time

log, key, cert = sys.argv[1], sys.argv[2].encode(), sys.argv[3]
tries = {}


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        signed = self.headers["X-Rampart-Timestamp"].encode() + b"." + body
        expected = "v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest()
        is_signed = hmac.compare_digest(self.headers.get("X-Rampart-Signature", ""), expected)
        asked = json.loads(body)
        name = self.path[1:]
        tries[name] = tries.get(name, 0) + 1
        with open(log, "a") as out:
            out.write(json.dumps({"path": name, "signed": is_signed, "asked": asked}) + "\n")
        answer = {"decision": "allow", "id": asked["id"], "nonce": asked["nonce"]}
        status, media, length, text = 200, "application/json", None, None
        if name == "deny":
            answer |= {"decision": "deny", "reason": "not today\x1b[31m"}
        elif name == "person" or name == "undecided":
            answer |= {"decision": {"person": "ask", "undecided": "none"}[name], "reason": "hm"}
        elif name == "bare":
            answer = {"decision": "allow"}
        elif name == "slow":
            time.sleep(2)
        elif name == "broken" or name == "open" or (name == "flaky" and tries[name] < 3):
            status = 500
        elif name == "truncated":
            length = 1000
        elif name == "type":
            media = "text/plain"
        elif name == "html":
            text, media = "<html>allow</html>", "text/html"
        elif name == "nonce":
            answer["nonce"] = "0" * 32
        elif name == "two":
            text = json.dumps(answer) * 2
        elif name == "huge":
            answer["reason"] = "x" * 70000
        elif name == "redirect":
            status = 307
        text = (text or json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(length or len(text)))
        if name == "redirect":
            self.send_header("Location", "/elsewhere")
        if name == "truncated":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)
        self.close_connection |= name == "truncated"


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
if cert:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert)
    server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
