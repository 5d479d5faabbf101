# why: A little that unpacks to a great deal more.
# expect: status=memory_limit
# limits: memory_mb=128
import zlib

packer = zlib.compressobj(1)
packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()
print("BREACH", len(zlib.decompress(packed)))
