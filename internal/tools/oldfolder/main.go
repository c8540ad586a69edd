// Command oldfolder has a program fill a data folder through its own interfaces
// and packs it, with what must be found in it, for the tests that open it with a
// later program. It is run at each release:
//
//	make build && go run ./internal/tools/oldfolder -bin bin/plateau -to internal/app/testdata/upgrade/0.1.0.tar.gz
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/tools/server"
)

// Expect is what must be found in a folder: expect.json in the archive.
type Expect struct {
	Program      string            `json:"program"`
	MadeAt       time.Time         `json:"made_at"`
	Frames       map[string]int    `json:"frames"` // by MN, all acknowledged
	Login        string            `json:"login"`
	Password     string            `json:"password"`
	Token        string            `json:"token"`      // of the operator, good for 30 days
	Webhook      string            `json:"webhook"`    // where one goes that is paused
	Datastream   string            `json:"datastream"` // its path
	Observations int               `json:"observations"`
	Entries      map[string]string `json:"entries"` // of the record of acts: place and hash
}

const (
	loggers      = 3
	minutes      = 150
	observations = 20
)

func main() {
	bin := flag.String("bin", "bin/plateau", "the program that fills the folder")
	to := flag.String("to", "", "archive to make, named after the release")
	flag.Parse()
	if err := run(context.Background(), *bin, *to); err != nil {
		fmt.Fprintln(os.Stderr, "oldfolder:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, to string) (err error) {
	dir, err := os.MkdirTemp("", "plateau-oldfolder-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	data := filepath.Join(dir, "data")
	out, err := exec.CommandContext(ctx, bin, "version").Output()
	if err != nil {
		return err
	}
	want := &Expect{Program: strings.Fields(string(out))[1], MadeAt: time.Now().UTC().Truncate(time.Second), Frames: map[string]int{}, Login: "admin", Password: "river stone under ice", Webhook: "https://receiver.test/kept"}
	s, err := server.Start(ctx, bin, data)
	if err != nil {
		return err
	}
	defer s.KillSoon()
	if _, err := s.Ready(ctx, time.Minute); err != nil {
		return err
	}
	if err := fill(ctx, s, data, want); err != nil {
		return err
	}
	if err := s.Stop(); err != nil {
		return err
	}
	if want.Entries, err = entries(ctx, bin, data); err != nil {
		return err
	}
	text, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		return err
	}
	return pack(to, data, append(text, '\n'))
}

// fill uses each of the program's ways in.
func fill(ctx context.Context, s *server.Server, data string, want *Expect) error {
	want.Token = s.Token
	for i := range loggers {
		mn := fmt.Sprintf("KEPT%02d", i)
		if err := send(ctx, s.HJ212, mn, want.MadeAt.Add(-minutes*time.Minute).Truncate(time.Hour)); err != nil {
			return fmt.Errorf("logger %s: %w", mn, err)
		}
		want.Frames[mn] = minutes
	}
	link, err := os.ReadFile(filepath.Join(data, "initial-password.txt"))
	if err != nil {
		return err
	}
	u, err := url.Parse(strings.TrimSpace(string(link)))
	if err != nil {
		return err
	}
	if err := post(ctx, s, "/en/set-password", url.Values{"key": {u.Query().Get("key")}, "fresh": {want.Password}, "again": {want.Password}}); err != nil {
		return err
	}
	if _, err := s.Ask(ctx, http.MethodPost, "/api/v1/webhooks", fmt.Appendf(nil, `{"url":%q,"paused":true}`, want.Webhook), http.StatusCreated); err != nil {
		return err
	}
	path, err := server.MakeDatastream(ctx, s, "kept")
	if err != nil {
		return err
	}
	for i := range observations {
		body := fmt.Appendf(nil, `{"phenomenonTime":%q,"result":%d}`, want.MadeAt.Add(time.Duration(i-observations)*time.Minute).Format(time.RFC3339), i)
		if _, err := s.Ask(ctx, http.MethodPost, path+"/Observations", body, http.StatusCreated); err != nil {
			return err
		}
	}
	want.Datastream, want.Observations = path, observations
	return nil
}

func post(ctx context.Context, s *server.Server, path string, form url.Values) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.HTTP+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+s.Token)
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s: %s: %.2000s", path, res.Status, text)
	}
	return err
}

// send sends a record for each minute and waits for its acknowledgement.
func send(ctx context.Context, addr, mn string, from time.Time) error {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = nc.Close() }()
	if err := nc.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	in := hj212.NewScanner(hj212.ScanOptions{})
	for i := range minutes {
		at := from.Add(time.Duration(i) * time.Minute)
		seg := fmt.Appendf(nil, "QN=%s000;ST=31;CN=2051;PW=123456;MN=%s;Flag=5;CP=&&DataTime=%s;a21026-Avg=%d.5,a21026-Flag=N;a19001-Avg=8.0,a19001-Flag=N&&",
			hj212.AppendTime(nil, at), mn, hj212.AppendTime(nil, at), 20+i%10)
		if _, err := nc.Write(hj212.AppendFrame(nil, seg)); err != nil {
			return err
		}
		for {
			ev, ok := in.Next()
			if !ok {
				if _, err := in.Fill(nc); err != nil {
					return err
				}
				continue
			}
			var p hj212.Packet
			if ev.Err != nil {
				return ev.Err
			}
			if err := p.Parse(ev.Seg); err != nil {
				return err
			}
			if p.Command() == hj212.CNDataAck {
				break
			}
		}
	}
	return nil
}

// entries are those of the record of acts.
func entries(ctx context.Context, bin, data string) (map[string]string, error) {
	out, err := exec.CommandContext(ctx, bin, "audit", "list", "--data", data, "--json").Output()
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for line := range bytes.Lines(out) {
		var e struct{ Entry, Hash string }
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		all[e.Entry] = e.Hash
	}
	if len(all) == 0 {
		return nil, errors.New("the record of acts is empty")
	}
	return all, nil
}

func pack(name, data string, expect []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
		return err
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	zip, err := gzip.NewWriterLevel(f, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zip)
	put := func(name string, text []byte) error {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Mode: 0o600}); err != nil {
			return err
		}
		_, err := w.Write(text)
		return err
	}
	if err := put("expect.json", expect); err != nil {
		return err
	}
	err = filepath.WalkDir(data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(data, path)
		if err != nil {
			return err
		}
		return put(filepath.ToSlash(filepath.Join("data", rel)), text)
	})
	return errors.Join(err, w.Close(), zip.Close())
}
