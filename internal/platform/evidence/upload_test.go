package evidence

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plateau/internal/platform/auth"
)

// serves is a server of uploads; the account is named by a header.
func serves(t *testing.T, r *rig) http.Handler {
	t.Helper()
	u, err := r.Uploads("/uploads/")
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		u.ServeHTTP(w, q.WithContext(auth.With(q.Context(), auth.Principal{ID: q.Header.Get("Who")})))
	})
}

// client uploads as an account.
type client struct {
	t    *testing.T
	base string
	who  string
}

// reply is what came back, read to its end.
type reply struct {
	StatusCode int
	Header     http.Header
	Text       []byte
}

func (c *client) do(method, path string, body io.Reader, header ...string) reply {
	c.t.Helper()
	q, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	q.Header.Set("Who", c.who)
	q.Header.Set("Tus-Resumable", "1.0.0")
	for i := 0; i < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body) // an answer that is cut off has its head
	return reply{res.StatusCode, res.Header, text}
}

func meta(name, sum string) string {
	out := "filename " + base64.StdEncoding.EncodeToString([]byte(name))
	if sum != "" {
		out += ",sha256 " + base64.StdEncoding.EncodeToString([]byte(sum))
	}
	return out
}

// begin announces a file.
func (c *client) begin(size int, name, sum string) (path string) {
	c.t.Helper()
	res := c.do("POST", "/uploads/", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", meta(name, sum))
	if path = res.Header.Get("Location"); res.StatusCode != http.StatusCreated || !strings.HasPrefix(path, "/uploads/") {
		c.t.Fatalf("announced: %d %q %s", res.StatusCode, path, res.Text)
	}
	return path
}

func (c *client) offset(path string) (n int, sum string) {
	c.t.Helper()
	res := c.do("HEAD", path, nil)
	n, err := strconv.Atoi(res.Header.Get("Upload-Offset"))
	if res.StatusCode != http.StatusOK || err != nil {
		c.t.Fatalf("where it stands: %d, %v", res.StatusCode, err)
	}
	return n, res.Header.Get(SumHeader)
}

func (c *client) part(path string, at int, text []byte) reply {
	c.t.Helper()
	return c.do("PATCH", path, bytes.NewReader(text), "Upload-Offset", strconv.Itoa(at), "Content-Type", "application/offset+octet-stream")
}

// torn sends the head of a part, some of its bytes, and goes.
func (c *client) torn(path string, at int, text []byte, some int) {
	c.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(c.t.Context(), "tcp", strings.TrimPrefix(c.base, "http://"))
	if err != nil {
		c.t.Fatal(err)
	}
	fmt.Fprintf(conn, "PATCH %s HTTP/1.1\r\nHost: x\r\nWho: %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: %d\r\nContent-Type: application/offset+octet-stream\r\nContent-Length: %d\r\n\r\n", path, c.who, at, len(text))
	_, _ = conn.Write(text[:some])
	_ = conn.Close()
}

func noise(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rand.IntN(256))
	}
	return append([]byte("%PDF-1.7\n"), out...)
}

func newServer(t *testing.T, r *rig) *client {
	t.Helper()
	s := httptest.NewServer(serves(t, r))
	t.Cleanup(s.Close)
	return &client{t, s.URL, "clerk"}
}

// TestTornUpload: a connection breaks again and again; the client asks where it
// stands and goes on, and what is kept in the end is what it had.
func TestTornUpload(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, url string) {
		t.Helper()
		r := newRig(t, url)
		c := newServer(t, r)
		text := noise(400_000)
		path := c.begin(len(text), "../报告.pdf", sumOf(text))
		at, before := 0, 0
		for range 20 {
			if at == len(text) {
				break
			}
			c.torn(path, at, text[at:], rand.IntN(len(text)-at))
			if at, _ = c.offset(path); at < before {
				t.Fatalf("it went back from %d to %d", before, at)
			}
			before = at
			n := min(rand.IntN(30_000), len(text)-at)
			res := c.part(path, at, text[at:at+n])
			switch {
			case res.StatusCode == http.StatusConflict: // what was torn off has come meanwhile
				at, _ = c.offset(path)
				continue
			case res.StatusCode != http.StatusNoContent || res.Header.Get("Upload-Offset") != strconv.Itoa(at+n):
				t.Fatalf("%d at %d: %d %s", n, at, res.StatusCode, res.Header.Get("Upload-Offset"))
			}
			at += n
		}
		if res := c.part(path, at, text[at:]); res.StatusCode != http.StatusNoContent || res.Header.Get(SumHeader) != sumOf(text) {
			t.Errorf("the last part: %d %v", res.StatusCode, res.Header)
		}
		// The answer may be lost: it says the same again.
		if at, sum := c.offset(path); at != len(text) || sum != sumOf(text) {
			t.Errorf("%d, %s", at, sum)
		}
		if res := c.part(path, len(text), nil); res.StatusCode != http.StatusNoContent || res.Header.Get(SumHeader) != sumOf(text) {
			t.Errorf("the last part again: %d", res.StatusCode)
		}
		if err := r.attach(t.Context(), "case-1", clerk, sumOf(text)); err != nil {
			t.Error(err)
		}
		all, err := r.OfCase(t.Context(), "case-1")
		if f := all[sumOf(text)]; err != nil || f.Name != "报告.pdf" || !bytes.Equal(read(t, r, f.File, Original), text) {
			t.Errorf("%+v, %v", f, err)
		}
		// For others it is not there.
		other := client{t, c.base, "warden"}
		for _, who := range []string{"warden", ""} {
			other.who = who
			for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
				if res := other.do(method, path, nil, "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"); res.StatusCode != http.StatusNotFound {
					t.Errorf("%s by %q: %d", method, who, res.StatusCode)
				}
			}
		}
		if res := c.do("GET", path, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("read back: %d", res.StatusCode)
		}
		if res := c.do("HEAD", "/uploads/"+owner(clerk)+"..%2f..%2fx", nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("another folder: %d", res.StatusCode)
		}
	})
}

// TestTwoClients: two that go on with the same upload at one time end with the file
// that both have.
func TestTwoClients(t *testing.T) {
	t.Parallel()
	r := newRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := newServer(t, r)
	text := noise(150_000)
	path := c.begin(len(text), "x.pdf", "")
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 400 {
				res := c.do("HEAD", path, nil)
				at, err := strconv.Atoi(res.Header.Get("Upload-Offset"))
				if err != nil {
					continue // the other one holds it
				}
				if at == len(text) {
					return
				}
				end := min(at+rand.IntN(8000), len(text))
				q, _ := http.NewRequestWithContext(t.Context(), http.MethodPatch, c.base+path, bytes.NewReader(text[at:end]))
				for k, v := range map[string]string{"Who": "clerk", "Tus-Resumable": "1.0.0", "Upload-Offset": strconv.Itoa(at), "Content-Type": "application/offset+octet-stream"} {
					q.Header.Set(k, v)
				}
				if res, err := http.DefaultClient.Do(q); err == nil { // the server may end one for the other
					_ = res.Body.Close()
				}
			}
			t.Error("no end")
		})
	}
	both.Wait()
	if _, sum := c.offset(path); sum != sumOf(text) {
		t.Errorf("it became %s", sum)
	}
}

// TestRefusedUpload: what is not taken is refused as early as it shows, and nothing of
// it is left.
func TestRefusedUpload(t *testing.T) {
	t.Parallel()
	r := newRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := newServer(t, r)
	r.l.Photo, r.l.PDF, r.l.Account = 50_000, 300_000, 1<<20
	says := func(what string, res reply, status int, word string) {
		t.Helper()
		if res.StatusCode != status || !strings.Contains(string(res.Text), word) {
			t.Errorf("%s: %d %s, want %d and %s", what, res.StatusCode, res.Text, status, word)
		}
	}
	announce := func(size int, name, sum string) reply {
		return c.do("POST", "/uploads/", nil, "Upload-Length", strconv.Itoa(size), "Upload-Metadata", meta(name, sum))
	}
	says("too large", announce(31<<20, "x", ""), http.StatusRequestEntityTooLarge, "err.file.large")
	says("no sum", announce(10, "x", "zz"), http.StatusUnprocessableEntity, "err.file.sum")
	says("more than an account may", announce(2<<20, "x", ""), http.StatusUnprocessableEntity, "err.file.account")
	says("without a length", c.do("POST", "/uploads/", nil), http.StatusBadRequest, "ERR_INVALID_UPLOAD_LENGTH")

	text := noise(20_000)
	path := c.begin(len(text), "x.pdf", strings.Repeat("0", 64))
	says("other bytes", c.part(path, 0, text), http.StatusUnprocessableEntity, "err.file.checksum")
	gone := func(path string) {
		t.Helper()
		if res := c.do("HEAD", path, nil); res.StatusCode != http.StatusNotFound {
			t.Errorf("it is there: %d", res.StatusCode)
		}
	}
	gone(path)

	path = c.begin(100, "x", strings.Repeat("0", 64))
	says("more than was announced", c.part(path, 0, text), http.StatusRequestEntityTooLarge, "ERR_UPLOAD_SIZE_EXCEEDED")
	res := c.do("PATCH", path, io.MultiReader(bytes.NewReader(text)), "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream") // of a length that is not told
	if res.StatusCode < 400 {
		t.Errorf("more than was announced, in pieces: %d", res.StatusCode)
	}
	gone(path)
	path = c.begin(1000, "x", "")
	says("at another place", c.part(path, 10, text[:10]), http.StatusConflict, "ERR_MISMATCHED_OFFSET")
	if res := c.do("DELETE", path, nil); res.StatusCode != http.StatusNoContent {
		t.Errorf("ended: %d", res.StatusCode)
	}
	gone(path)

	photo := jpegOf(t, quarters(100, 100), 1)
	path = c.begin(60_000, "x.jpg", "")
	head := append(photo, make([]byte, 4000)...)[:4000]
	says("a photo that will be too large", c.part(path, 0, head), http.StatusRequestEntityTooLarge, "err.file.large")
	gone(path)
	path = c.begin(60_000, "x.pdf", "")
	says("a program", c.part(path, 0, append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 4000)...)), http.StatusUnprocessableEntity, "err.file.program")
	gone(path)
	path = c.begin(len(photo)/2, "x.jpg", "")
	says("half a photo", c.part(path, 0, photo[:len(photo)/2]), http.StatusUnprocessableEntity, "err.file.damaged")
	gone(path)

	r.l.Account = 500 << 20
	for range maxOpen {
		if announce(10, "x", "").StatusCode != http.StatusCreated {
			break
		}
	}
	says("too many at once", announce(10, "x", ""), http.StatusUnprocessableEntity, "err.file.open")
	if rows, files, _ := r.count(t); rows != 0 || files != 0 {
		t.Errorf("%d rows, %d files", rows, files)
	}
}

// TestUploadFullDisk: a full disk is told as such, at every step, and the upload goes
// on from where it stood.
func TestUploadFullDisk(t *testing.T) {
	t.Parallel()
	r := newRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := newServer(t, r)
	free, create := r.free, r.create
	full := func() (int64, error) { return 0, nil }
	full507 := func(what string, res reply) {
		t.Helper()
		if res.StatusCode != http.StatusInsufficientStorage || res.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d", what, res.StatusCode)
		}
	}
	text := noise(9000)
	r.free = full
	full507("announced", c.do("POST", "/uploads/", nil, "Upload-Length", "10", "Upload-Metadata", meta("x", "")))
	r.free = free
	path := c.begin(len(text), "x.pdf", sumOf(text))
	if res := c.part(path, 0, text[:5000]); res.StatusCode != http.StatusNoContent {
		t.Fatal(res.StatusCode)
	}
	r.free = full
	full507("a part", c.part(path, 5000, text[5000:]))
	r.free = free
	if at, _ := c.offset(path); at != 5000 {
		t.Errorf("it stands at %d", at)
	}
	r.create = func(string) (written, error) { return nil, syscall.ENOSPC }
	full507("the last part", c.part(path, 5000, text[5000:]))
	full507("asked", c.do("HEAD", path, nil))
	if rows, files, _ := r.count(t); rows != 0 || files != 0 {
		t.Errorf("%d rows, %d files", rows, files)
	}
	r.create = create
	if at, sum := c.offset(path); at != len(text) || sum != sumOf(text) {
		t.Errorf("%d, %s", at, sum)
	}
	if err := fault(t.Context(), fmt.Errorf("write: %w", syscall.ENOSPC)); !strings.Contains(err.Error(), NoRoom) {
		t.Error(err)
	}
}

// TestUploadsGo: an upload that nobody goes on with goes after its time, one that is
// complete a day after it.
func TestUploadsGo(t *testing.T) {
	t.Parallel()
	r := newRig(t, filepath.Join(t.TempDir(), "x.db"))
	c := newServer(t, r)
	text := noise(5000)
	done, open := c.begin(len(text), "x", ""), c.begin(len(text), "y", "")
	c.part(done, 0, text)
	c.part(open, 0, text[:1000])
	left := func() (n int) {
		t.Helper()
		if _, err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		list, err := os.ReadDir(r.uploads())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := left(); n != 5 {
		t.Errorf("%d files at once", n)
	}
	r.pass(25 * time.Hour)
	if n := left(); n != 2 {
		t.Errorf("%d files after a day", n)
	}
	if at, _ := c.offset(open); at != 1000 {
		t.Errorf("it stands at %d", at)
	}
	r.pass(30 * 24 * time.Hour)
	if n := left(); n != 0 {
		t.Errorf("%d files after its time", n)
	}
}

// TestUploadKilled kills the server while parts come: what it answered for is there
// when it comes back, and the file is the right one in the end.
func TestUploadKilled(t *testing.T) {
	if dir := os.Getenv("PLATEAU_TEST_UPLOADS"); dir != "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("address: http://" + l.Addr().String())
		t.Fatal(http.Serve(l, serves(t, rigIn(t, filepath.Join(dir, "x.db"), dir))))
	}
	t.Parallel()
	dir := t.TempDir()
	start := func() (*exec.Cmd, *client) {
		t.Helper()
		cmd := exec.Command(os.Args[0], "-test.run=^TestUploadKilled$")
		cmd.Env = append(os.Environ(), "PLATEAU_TEST_UPLOADS="+dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if base, ok := strings.CutPrefix(lines.Text(), "address: "); ok {
				return cmd, &client{t, base, "clerk"}
			}
		}
		t.Fatal("no server")
		return nil, nil
	}
	text := noise(300_000)
	cmd, c := start()
	path := c.begin(len(text), "x.pdf", sumOf(text))
	acked := 0
	for i := range 5 {
		at, _ := c.offset(path)
		if at < acked {
			t.Fatalf("it stands at %d, %d were answered for", at, acked)
		}
		n := 20_000
		if res := c.part(path, at, text[at:at+n]); res.StatusCode != http.StatusNoContent {
			t.Fatal(res.StatusCode)
		}
		acked = at + n
		c.torn(path, acked, text[acked:], 10_000)
		time.Sleep(time.Duration(i*7) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		cmd, c = start()
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	at, _ := c.offset(path)
	// All bytes came, and it was killed before it kept them: asking is enough.
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	f, err := os.OpenFile(filepath.Join(dir, filepath.FromSlash(Incoming), "uploads", filepath.Base(path)), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(text[at:])
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd, c = start()
	if n, sum := c.offset(path); n != len(text) || sum != sumOf(text) {
		t.Errorf("it stands at %d and became %s", n, sum)
	}
}
