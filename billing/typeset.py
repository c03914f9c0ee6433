"""The typesetter, a program of its own: a template's path as argument, data on stdin, a PDF on stdout."""

import sys

import typst

if __name__ == "__main__":
    sys.stdout.buffer.write(typst.compile(sys.argv[1], sys_inputs={"data": sys.stdin.read()}))
