# why: A shell starts interpreters and compilers of its own, with any environment: they are held like everything else.
# expect: status=finished
# stdout: contained
. ./world.sh
cat > attack.py << 'END'
import ctypes, os, sys
if ctypes.CDLL(None).unshare(0x10000000) == 0 or os.path.exists(sys.argv[1]):
    print("BREACH")
END
for python in python python3 /usr/bin/python3; do
    PYTHONHOME= PYTHONPATH=. $python -I attack.py "$secret_file" 2> /dev/null
done
perl -e 'print "BREACH\n" if syscall(101, 0, 0, 0, 0) == 0 || -e $ARGV[0]' "$secret_file" 2> /dev/null
echo contained
