package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"plateau/hj212"
)

const hj212Help = `Usage: plateau hj212 decode [--key-hex K] [FILE …]
       plateau hj212 decode --stream [--hex] [--key-hex K] [FILE …]
       plateau hj212 check-device [--listen ADDR] [--for TIME] [--json]

Decodes HJ 212 (2005, 2017, 2025), one frame a line, and prints one JSON object
for each line: what the frame says, or what is wrong with it, where, and all of it.
With --stream the input is raw bytes as a receiver gets them; with --hex it is
one stream a line in hexadecimal. Without FILE, or with -, standard input is
read; each FILE is numbered from line 1 and is a stream of its own.

Flags:
  --stream     find the frames in a byte stream
  --hex        the stream is in hexadecimal, one a line
  --key-hex K  SM4 key for encrypted frames: 32 hexadecimal digits

Example:

  echo '##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80' | plateau hj212 decode
`

func cmdHJ212(args []string, std stdio) int {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help" || args[0] == "-help") {
		fmt.Fprint(std.Out, hj212Help)
		return 0
	}
	if len(args) > 0 && args[0] == "check-device" {
		return cmdCheckDevice(args[1:], std)
	}
	if len(args) == 0 || args[0] != "decode" {
		fmt.Fprint(std.Err, "plateau hj212: say what to do: decode or check-device\n\n"+hj212Help)
		return 2
	}
	return cmdDecode(args[1:], std)
}

func cmdDecode(args []string, std stdio) int {
	fs := newFlags(std, "hj212 decode", "", "", "")
	fs.Usage = func() { fmt.Fprint(fs.Output(), hj212Help) }
	stream := fs.Bool("stream", false, "")
	asHex := fs.Bool("hex", false, "")
	keyHex := fs.String("key-hex", "", "")
	if code, done := parse(fs, args, std, 1<<20); done {
		return code
	}
	if *asHex && !*stream {
		fmt.Fprintln(std.Err, "plateau hj212 decode: --hex belongs to --stream")
		return 2
	}
	var key []byte
	if *keyHex != "" {
		var err error
		if key, err = hex.DecodeString(*keyHex); err != nil || len(key) != 16 {
			fmt.Fprintln(std.Err, "plateau hj212 decode: --key-hex wants 32 hexadecimal digits")
			return 2
		}
	}
	out := bufio.NewWriter(std.Out)
	names := fs.Args()
	if len(names) == 0 {
		names = []string{"-"}
	}
	var err error
	for _, name := range names {
		if err = decodeFile(name, std.In, out, *stream, *asHex, key); err != nil {
			break
		}
	}
	if lost := out.Flush(); err == nil { // what was decoded before a fault is printed too
		err = lost
	}
	if err != nil {
		return fail(std, "hj212 decode", err)
	}
	return 0
}

func decodeFile(name string, in io.Reader, out *bufio.Writer, stream, asHex bool, key []byte) error {
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	switch {
	case stream && asHex:
		return eachLine(in, out, func(n int, line []byte) error {
			digits := strings.Join(strings.Fields(string(line)), "")
			raw, err := hex.DecodeString(digits)
			if errors.Is(err, hex.ErrLength) {
				err = fmt.Errorf("%d digits, and every byte takes two; see whether the line was cut off", len(digits))
			}
			if err != nil {
				return fmt.Errorf("%s, line %d is not hexadecimal: %w (without --hex the input is raw bytes)", inputName(name), n, err)
			}
			return enc.Encode(hj212.ScanAll(raw, scanOptions(key)))
		})
	case stream:
		raw, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		return enc.Encode(hj212.ScanAll(raw, scanOptions(key)))
	}
	return eachLine(in, out, func(n int, line []byte) error {
		d := hj212.DecodeLine(line, hj212.DecodeOptions{Key: key})
		d.Line = n
		return enc.Encode(d)
	})
}

func scanOptions(key []byte) hj212.ScanOptions {
	if key == nil {
		return hj212.ScanOptions{}
	}
	keys := [][]byte{key}
	return hj212.ScanOptions{Keys: func([]byte) [][]byte { return keys }}
}

func inputName(name string) string {
	if name == "-" {
		return "standard input"
	}
	return name
}

// eachLine calls fn for each line, empty ones too, counted from 1. What fn
// wrote to out is sent off whenever the input pauses, so that a pipe from a
// running logger is decoded as it comes.
func eachLine(r io.Reader, out *bufio.Writer, fn func(n int, line []byte) error) error {
	br := bufio.NewReaderSize(r, 1<<16)
	for n := 1; ; n++ {
		if ahead, _ := br.Peek(br.Buffered()); bytes.IndexByte(ahead, '\n') < 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			if err := fn(n, bytes.TrimRight(line, "\r\n")); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
