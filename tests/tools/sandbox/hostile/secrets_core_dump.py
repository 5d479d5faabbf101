# why: A core is the whole memory as a file, in the scratch folder or wherever core_pattern says.
# expect: status=error exit_code=-6
# fetch: core
# fetched: nothing
import os
import resource

try:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print("BREACH: cores are allowed")
except (OSError, ValueError):
    pass
os.abort()
