# why: A folder under the name of a file that is to be fetched is no file; the others still come.
# expect: status=finished
# fetch: loot deep/er/file good
# fetched: good
import os
from pathlib import Path

os.makedirs("loot/inner")
Path("deep").write_text("a file where a folder was expected")
Path("good").write_text("good")
