#!/usr/bin/env python3
"""The server watch: primary, backup, offline, back with records to upload first."""
import http.server
import ssl
import threading
import unittest

import branch
import ils
from branch import wait_until
from sinks import Proxy


class Library:
    """A page that says it is the library, or an error page, or nothing at all."""

    def __init__(self, port=0, tls=None):
        page = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = page.text.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.text = "Welcome to the library"
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls / "cert.pem", tls / "key.pem")
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Watch(branch.Case):
    def see(self, desks, state, deadline=20):
        for d in desks:
            wait_until(lambda d=d: d.status()["server"]["state"] == state, deadline,
                       f"{d.name} to say {state}, not {d.status()['server']}")

    def test_what_every_desk_says_of_the_server_and_why(self):
        primary, backup = Library(), Library()
        self.addCleanup(backup.close)
        desks = self.branch()
        text = branch.policy_text(self.sink) + (
            f"\n[server]\nprobe = http://127.0.0.1:{primary.port}/\n"
            f"backup = http://127.0.0.1:{backup.port}/\n"
            "expect = Welcome\nevery = 500ms\noffline_after = 2\nback_after = 2\n")
        self.publish(desks[0], text)
        self.see(desks, "online")
        primary.close()
        self.see(desks, "backup")
        backup.text = "Under maintenance"
        self.see(desks, "offline")
        server = desks[1].status()["server"]
        self.assertIn("backup: its answer is not the one that is expected", server["why"])
        others = {d.name: "offline" for d in desks if d is not desks[1]}
        wait_until(lambda: desks[1].status()["server"]["peers"] == others, 10, "hear it of others")
        self.assertIn("server is still away", desks[1].cli("upload", "plan").out)
        said = desks[1].cli("server", "status").out
        self.assertRegex(said, r"OFFLINE since \d{4}-\d\d-\d\d")
        self.assertIn("record here", said)
        refused = desks[0].cli("server", "online", "--lead-passphrase-file", self.lead,
                               check=False)
        self.assert_refused(refused, 65, "does not see the library's server")
        self.feed(desks[0], branch.checkouts(1, 3))
        branch.all_hold(desks, 3, 20)
        primary = Library(primary.port)
        self.addCleanup(primary.close)
        self.see(desks, "back")
        self.assertIn("upload first", desks[1].cli("status").out)
        desks[0].cli("server", "online", "--lead-passphrase-file", self.lead)
        self.see(desks, "online")
        self.upload(desks[0])
        self.feed(desks[1], branch.checkouts(10, 1))
        self.see(desks, "back")  # the lead's word was for the upload before
        self.upload(desks[0])
        self.see(desks, "online")
        refused = desks[0].cli("server", "online", "--lead-passphrase-file", self.lead,
                               check=False)
        self.assert_refused(refused, 65, "nothing waits to be uploaded")

    def test_the_probe_goes_the_way_of_the_sink_by_its_proxy_and_with_its_certificates(self):
        tls, proxy = ils.certificate(self.home / "tls"), Proxy()
        library = Library(tls=tls)
        self.addCleanup(library.close)
        self.addCleanup(proxy.close)
        (desk,) = self.branch(branch.NAMES[:1])
        self.publish(desk, branch.policy_text(self.sink).replace(
            "quiet = 1s", f"quiet = 1s\nca = own\nproxy = http://127.0.0.1:{proxy.port}") + (
            "[server]\n"
            f"probe = https://127.0.0.1:{library.port}/\nexpect = Welcome\nevery = 500ms\n"
            "offline_after = 2\nback_after = 2\n"))
        self.see([desk], "offline")
        self.assertIn("cannot use the credential own.ca", desk.status()["server"]["why"])
        desk.cli("credential", "set", "own", "ca", text=(tls / "ca.pem").read_text())
        self.see([desk], "online")
        self.assertIn(("CONNECT", f"127.0.0.1:{library.port}"), proxy.asked)


if __name__ == "__main__":
    unittest.main(verbosity=2)
