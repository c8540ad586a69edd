package bench

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"plateau/hj212"
	"plateau/internal/app"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
)

// pageOutlets is the size of the region whose overview is measured.
const pageOutlets = 300

// pages measures the whole program over HTTP: the overview of 300 outlets with
// a day of history, and a day of one outlet (2,880 records of ten values).
func pages(ctx context.Context, c *Config, r *Report) (err error) {
	dir, remove, err := c.tempDir()
	if err != nil {
		return err
	}
	defer remove()
	now := c.Now()
	password := rand.Text()
	if err := prepare(ctx, c, dir, password, now); err != nil {
		return fmt.Errorf("prepare a region: %w", err)
	}
	var printed bytes.Buffer
	a, err := app.New(ctx, app.Options{
		Flags:  map[string]string{"data": dir, "http.addr": "127.0.0.1:0", "hj212.addr": "127.0.0.1:0"},
		Stdout: &printed, Stderr: io.Discard, Now: c.Now,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- a.Serve(ctx) }()
	defer func() {
		cancel()
		err = errors.Join(err, <-served, a.Close())
	}()
	m := regexp.MustCompile(`(?m)^http: (\S+)$`).FindSubmatch(printed.Bytes())
	if m == nil {
		return fmt.Errorf("bench: no address in %q", printed.String())
	}
	b, err := newBrowser(string(m[1]))
	if err != nil {
		return err
	}
	if err := b.judged(ctx); err != nil {
		return err
	}
	if err := b.signIn(ctx, "bench", password); err != nil {
		return err
	}
	day := fmt.Sprintf("/api/v1/outlets/1/records?from=%s&to=%s", url.QueryEscape(now.Add(-24*time.Hour).UTC().Format(time.RFC3339)), url.QueryEscape(now.Add(time.Second).UTC().Format(time.RFC3339)))
	var took [2][]float64
	var size [2]float64
	for range max(c.Runs, 21) {
		for i, path := range []string{"/zh/", day} {
			began := c.Now()
			body, err := b.get(ctx, path)
			if err != nil {
				return err
			}
			took[i] = append(took[i], float64(c.Now().Sub(began).Microseconds())/1000)
			size[i] = float64(len(body)) / 1024
			if i == 0 {
				continue
			}
			plain, err := gunzip(body)
			if err != nil || bytes.Count(plain, []byte(`"values":[`)) < len(codes) {
				return fmt.Errorf("bench: the day of one outlet has no ten factors: %w", errors.Join(err, errItems))
			}
		}
	}
	r.Figures["overview_of_300_outlets_http"] = figure("ms", "< 50", took[0])
	r.Figures["overview_of_300_outlets_size"] = figure("KB gzip", "<= 30", size[:1])
	r.Figures["day_of_one_outlet_http"] = figure("ms", "< 25", took[1])
	r.Figures["day_of_one_outlet_http_size"] = figure("KB gzip", "", size[1:])
	r.Notes = append(r.Notes, "over HTTP the whole program answers, compressed, on the same cores as the client; the overview is the full page")
	return nil
}

// prepare fills a data folder as a server would have left it: an account, a
// registry of 300 outlets and a day of their history in the journal.
func prepare(ctx context.Context, c *Config, dir, password string, now time.Time) error {
	conf := config.Default()
	conf.Data = dir
	d, err := db.Open(ctx, conf.DatabaseURL())
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	operator := auth.User{Login: "bench", Post: auth.Post{Zh: "bench"}, Role: auth.Operator}
	if _, err := auth.New(d, c.Now, auth.Options{}).CreateUser(ctx, operator, password); err != nil {
		return err
	}
	registry, err := telemetry.Open(ctx, d, c.Now)
	if err != nil {
		return err
	}
	defer registry.Close()
	s, err := store.Open(filepath.Join(dir, app.TelemetryDir), store.Options{Now: c.Now})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()

	in := telemetry.LoadInput{}
	for seed := uint64(0); len(in.Outlets) < pageOutlets; seed++ {
		region := simulator.RegionAt(now)
		outlets := map[string]telemetry.OutletID{} // by MN
		shift := telemetry.OutletID(len(in.Outlets))
		for i := range region.Devices {
			region.Devices[i].MN = fmt.Sprintf("%s%02d", region.Devices[i].MN[:len(region.Devices[i].MN)-2], seed)
			region.Devices[i].Keys = nil
		}
		world, err := simulator.NewWorld(simulator.WorldOptions{Region: &region, Seed: seed})
		if err != nil {
			return err
		}
		if seed == 0 {
			in.Areas, in.Enterprises = region.Areas, region.Enterprises
		}
		for i := range region.Devices {
			dev := region.Devices[i]
			dev.Outlet += shift
			outlets[dev.MN] = dev.Outlet
			in.Devices = append(in.Devices, dev)
		}
		for _, o := range region.Outlets {
			o.ID += shift
			in.Outlets = append(in.Outlets, o)
		}
		if err := fillHistory(ctx, s, world, outlets, now); err != nil {
			return err
		}
	}
	known := in.Outlets[:pageOutlets]
	devices := in.Devices[:0]
	for _, dev := range in.Devices {
		if dev.Outlet <= known[len(known)-1].ID {
			devices = append(devices, dev)
		}
	}
	in.Outlets, in.Devices = known, devices
	if err := registry.Load(ctx, in, auth.System); err != nil {
		return err
	}
	return fillLoggers(ctx, s, 1, 2880, now.Truncate(time.Second))
}

// fillHistory stores the last day of a world's uploads.
func fillHistory(ctx context.Context, s *store.Store, w *simulator.World, outlets map[string]telemetry.OutletID, now time.Time) error {
	var p hj212.Packet
	got := receipts{s: s}
	err := w.History(ctx, now.Add(-26*time.Hour), now, func(raw []byte, mn string, sentAt time.Time) error {
		f, err := decode(&p, outlets[mn], raw, nil, sentAt)
		if err != nil {
			return nil //nolint:nilerr // a damaged upload, as the world plays them now and then
		}
		return got.submit(ctx, f)
	})
	return errors.Join(err, got.wait())
}

// browser asks the program as a person's browser does.
type browser struct {
	base string
	http http.Client
}

func newBrowser(base string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	// The answers are counted as they come over the wire.
	return &browser{base: base, http: http.Client{Jar: jar, Timeout: time.Minute, Transport: &http.Transport{DisableCompression: true}}}, nil
}

func (b *browser) do(req *http.Request) ([]byte, error) {
	resp, err := b.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("bench: %s %s: %s", req.Method, req.URL.Path, resp.Status)
	}
	return body, err
}

func (b *browser) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, http.Header{"Accept-Encoding": {"gzip"}, "Accept": {"text/html,application/json"}})
	return b.do(req)
}

func (b *browser) signIn(ctx context.Context, name, password string) error {
	form := url.Values{"name": {name}, "password": {password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+"/zh/login", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, err = b.do(req)
	return err
}

var unjudged = regexp.MustCompile(`(?m)^plateau_judgement_(?:groups_behind|dirty_hours) [^0]`)

// judged waits until everything stored has been judged.
func (b *browser) judged(ctx context.Context) error {
	for {
		body, err := b.get(ctx, "/metrics")
		if err != nil {
			return err
		}
		if plain, err := gunzip(body); err == nil {
			body = plain
		}
		if !bytes.Contains(body, []byte("plateau_judgement_groups_behind")) {
			return errors.New("bench: the metrics do not tell how far judgement is")
		}
		if !unjudged.Match(body) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func gunzip(b []byte) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
