"""Somebody who has a desk's files, a desk key, and store/FORMAT.md, but not the program: opens whatever
stands in the data file and its journal, free pages too, with every period key that the desk key opens.
Knows nothing of the project's code; LMDB's pages are read by hand (lmdb.h 0.9, "Page structure")."""
import ctypes
import hashlib
import pathlib
import struct

PAGE, PAGE_HEAD, NODE_HEAD = 4096, 16, 8
LEAF, BIGDATA = 0x02, 0x01
NONCE, TAG = 24, 16
TABLES = range(1, 32)
BLOCK, ENTRY_HEAD, OP_HEAD = 4096, 56, 7
LATER_KEYS = 16

_sodium = ctypes.CDLL("libsodium.so.23")


def unseal(key, nonce, box, known):
    """None: another key, place or bytes."""
    if len(box) < TAG:
        return None
    out, n = ctypes.create_string_buffer(len(box)), ctypes.c_ulonglong()
    ok = _sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        out, ctypes.byref(n), None, box, ctypes.c_ulonglong(len(box)), known,
        ctypes.c_ulonglong(len(known)), nonce, key)
    return out.raw[:n.value] if ok == 0 else None


def desk_key(state):
    """As it stands in desk.key: the last of its 96 bytes."""
    return (pathlib.Path(state) / "desk.key").read_bytes()[-32:]


def later_keys(key):
    """It, and those that follow it: nobody gets the one before from one of them."""
    for _ in range(LATER_KEYS + 1):
        yield key
        key = hashlib.blake2b(b"tideover desk key v1" + key, digest_size=32).digest()


def period_keys(path, key):
    """{number: key} of one file `periods`."""
    data = path.read_bytes()
    for k in later_keys(key):
        plain = unseal(k, data[9:9 + NONCE], data[9 + NONCE:], data[:9])
        if plain is not None:
            return {struct.unpack_from(">I", plain, at)[0]: plain[at + 4:at + 36]
                    for at in range(4, 4 + 36 * struct.unpack_from(">I", plain)[0], 36)}
    return {}


def leaves(data):
    """(key, value) of every node that any page holds, whether the page is in use or not."""
    for page in range(0, len(data) - PAGE + 1, PAGE):
        flags, lower = struct.unpack_from("<HH", data, page + 10)
        if not flags & LEAF or lower < PAGE_HEAD or lower > PAGE:
            continue
        for at in range(page + PAGE_HEAD, page + lower - 1, 2):
            node = page + struct.unpack_from("<H", data, at)[0]
            if node + NODE_HEAD > page + PAGE:
                continue
            low, high, how, n = struct.unpack_from("<HHHH", data, node)
            begin, size = node + NODE_HEAD + n, low | high << 16
            if how & BIGDATA and begin + 8 <= len(data):
                begin = struct.unpack_from("<Q", data, begin)[0] * PAGE + PAGE_HEAD
            if begin + size <= len(data):
                yield data[node + NODE_HEAD:node + NODE_HEAD + n], data[begin:begin + size]


def entries(data):
    """(key, value) of every put in the journal, of whatever round."""
    for block in range(0, len(data), BLOCK):
        if data[block:block + 8] != b"TIDEJRNL":
            continue
        at = block + ENTRY_HEAD
        end = at + struct.unpack_from(">I", data, block + 20)[0]
        while at + OP_HEAD <= min(end, len(data)):
            n, size = data[at + 1], struct.unpack_from(">I", data, at + 3)[0]
            begin = at + OP_HEAD + n
            yield data[at + OP_HEAD:begin], data[begin:begin + size]
            at = begin + size


def open_value(keys, key, value):
    """Under any of these period keys, in whichever table it stands."""
    if len(value) < 4 + NONCE + TAG or not key:
        return None
    for k in keys.get(struct.unpack_from(">I", value)[0], ()):
        for table in TABLES:
            plain = unseal(k, value[4:4 + NONCE], value[4 + NONCE:], bytes((1, table)) + key)
            if plain is not None:
                return plain
    return None


def loot(key, *states):
    """All plain text that this desk key makes of these copies of a state directory, of their data with
    each other's period keys, too."""
    keys = {}
    for state in states:
        for path in pathlib.Path(state).glob("periods*"):
            for number, k in period_keys(path, key).items():
                keys.setdefault(number, set()).add(k)
    found = []
    for state in states:
        store = pathlib.Path(state) / "store"
        for pairs in (leaves((store / "data.mdb").read_bytes()),
                      entries((store / "journal").read_bytes())):
            found += [plain for k, v in pairs if (plain := open_value(keys, k, v)) is not None]
    return b"\n".join(found)
