# why: A kilobyte that unpacks to a gigabyte.
# expect: status=memory_limit
# limits: memory_mb=256 seconds=10
import zlib

packer = zlib.compressobj(9)
packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(900)) + packer.flush()
print("BREACH", len(zlib.decompress(packed)))
