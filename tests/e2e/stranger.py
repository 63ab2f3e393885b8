"""Somebody who speaks ZeroMQ and CURVE to a desk, through the libzmq that the program uses."""
import ctypes
import ctypes.util
import hashlib
import os
import struct

DEALER, POLLIN = 5, 1
LINGER, CURVE_PUBLICKEY, CURVE_SECRETKEY, CURVE_SERVERKEY, RCVTIMEO = 17, 48, 49, 50, 27


def _load(name, soname):
    return ctypes.CDLL(ctypes.util.find_library(name) or soname)


class Stranger:
    """One DEALER that knows the desk's public key and has a key of its own."""

    def __init__(self, port, server_pk, secret=None):
        self.z = _load("zmq", "libzmq.so.5")
        for name in ("zmq_ctx_new", "zmq_socket"):
            getattr(self.z, name).restype = ctypes.c_void_p
        secret = secret or os.urandom(32)
        self.ctx = ctypes.c_void_p(self.z.zmq_ctx_new())
        self.sock = ctypes.c_void_p(self.z.zmq_socket(self.ctx, DEALER))
        for option, value in ((CURVE_SERVERKEY, server_pk), (CURVE_PUBLICKEY, public_of(secret)),
                              (CURVE_SECRETKEY, secret)):
            assert self.z.zmq_setsockopt(self.sock, option, value, ctypes.c_size_t(32)) == 0
        for option, value in ((LINGER, 0), (RCVTIMEO, 100)):
            n = ctypes.c_int(value)
            assert self.z.zmq_setsockopt(self.sock, option, ctypes.byref(n),
                                         ctypes.c_size_t(4)) == 0
        assert self.z.zmq_connect(self.sock, f"tcp://127.0.0.1:{port}".encode()) == 0

    def send(self, data):
        return self.z.zmq_send(self.sock, data, ctypes.c_size_t(len(data)), 1)

    def receive(self):
        """Bytes, or None after 100 ms."""
        room = ctypes.create_string_buffer(65536)
        n = self.z.zmq_recv(self.sock, room, ctypes.c_size_t(len(room)), 0)
        return room.raw[:n] if n >= 0 else None

    def close(self):
        self.z.zmq_close(self.sock)
        self.z.zmq_ctx_term(self.ctx)


def public_of(secret):
    out = ctypes.create_string_buffer(32)
    assert _load("sodium", "libsodium.so.23").crypto_scalarmult_base(out, secret) == 0
    return out.raw


def curve_secret(desk):
    """desk.key holds three seeds of 32 bytes at its end: signing, CURVE, store."""
    return (desk.state / "desk.key").read_bytes()[-96:][32:64]


def desk_id(desk):
    """H16 of the desk's signing key (PROTOCOL.md, "Notation" and "Identities")."""
    seed = (desk.state / "desk.key").read_bytes()[-96:][:32]
    pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    assert _load("sodium", "libsodium.so.23").crypto_sign_seed_keypair(pk, sk, seed) == 0
    return hashlib.blake2b(b"tideover desk v1\0" + struct.pack(">Q", 32) + pk.raw,
                           digest_size=16).digest()
