# why: Frames below the program's own hold the fork server's local variables: code, inputs and descriptors of the run.
# expect: status=finished
# stdout: contained
import re
import sys
import threading

pattern = re.compile("SECRET-[0-9a-f]{32}")
frames = list(sys._current_frames().values())
frame = sys._getframe()
while frame is not None:
    frames.append(frame)
    frame = frame.f_back
for frame in frames:
    for scope in (frame.f_locals, frame.f_globals):
        for key, value in list(scope.items()):
            if isinstance(value, (str, bytes, dict, list, tuple)) and pattern.search(repr(value)[:100_000]):
                print("BREACH", frame.f_code.co_filename, key)
print("contained", len(frames), threading.active_count())
