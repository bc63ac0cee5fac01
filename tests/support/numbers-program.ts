/**
 * A program in Python that writes numbers into `numbers.txt`, each as a line of its own, and prints it once it is on the
 * disk under that name. Between opening and writing the file may be replaced: then it was the old one, and is written again.
 */
export const writeNumbers = `import itertools, os
for n in itertools.count(1):
    while True:
        fd = os.open("numbers.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(fd, b"%d\\n" % n)
        os.fsync(fd)
        kept = os.path.exists("numbers.txt") and os.stat("numbers.txt").st_ino == os.fstat(fd).st_ino
        os.close(fd)
        if kept: break
    print("kept", n, flush=True)
`;
