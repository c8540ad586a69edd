package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"plateau/internal/app"
	"plateau/internal/platform/disk"
	"plateau/internal/sensorthings/entitystore"
)

// STAConns is the number of connections that post single Observations at once.
const STAConns = 32

// STA measures the SensorThings interface of the whole program over HTTP, with
// an operator's token: single Observations over 32 connections, data arrays, and
// reading out of a Datastream with much history. The server is a process of its
// own when c.Program names the program, else it runs in this one.
func STA(ctx context.Context, c Config) (r Report, err error) {
	if c.Seconds <= 0 {
		c.Seconds = 10
	}
	if c.History <= 0 {
		c.History = 1_000_000
	}
	c.defaults()
	r = newReport("sta")
	dir, remove, err := c.tempDir()
	if err != nil {
		return r, err
	}
	defer remove()
	s, err := startSTA(ctx, &c, dir)
	if err != nil {
		return r, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, s.stop())
		}
	}()
	b := staBench{c: &c, s: s, at: c.Now().Truncate(time.Second).Add(-400 * 24 * time.Hour)}
	if err := b.things(ctx); err != nil {
		return r, fmt.Errorf("prepare Things: %w", err)
	}
	var single, p50, p99, small, large, newest, latest []float64
	for range c.Runs {
		rate, half, most, err := b.single(ctx)
		if err != nil {
			return r, err
		}
		single, p50, p99 = append(single, rate), append(p50, half), append(p99, most)
		for _, a := range []struct {
			rows int
			to   *[]float64
		}{{1000, &small}, {10_000, &large}} {
			rate, err := b.arrays(ctx, a.rows)
			if err != nil {
				return r, err
			}
			*a.to = append(*a.to, rate)
		}
	}
	if err := b.history(ctx); err != nil {
		return r, err
	}
	for range max(c.Runs, 21) {
		for path, to := range map[string]*[]float64{"$top=1000": &newest, "$top=1": &latest} {
			ms, err := b.read(ctx, path+"&$orderby=phenomenonTime%20desc")
			if err != nil {
				return r, err
			}
			*to = append(*to, ms)
		}
	}
	stopped = true
	if err := s.stop(); err != nil {
		return r, err
	}
	running, compacted, err := settled(ctx, filepath.Join(dir, app.SensorThingsDir))
	if err != nil {
		return r, err
	}
	r.Figures["single_post"] = figure("observations/s", ">= 10000", single)
	r.Figures["single_post_p50"] = figure("ms", "", p50)
	r.Figures["single_post_p99"] = figure("ms", "", p99)
	r.Figures["data_array_1000_rows"] = figure("observations/s", "", small)
	r.Figures["data_array_10000_rows"] = figure("observations/s", ">= 200000", large)
	r.Figures["newest_1000_of_a_datastream"] = figure("ms", "< 5", newest)
	r.Figures["latest_of_a_datastream"] = figure("ms", "< 1", latest)
	r.Figures["disk_per_observation"] = figure("B", "<= 12", []float64{float64(compacted) / float64(b.stored.Load())})
	r.Figures["disk_per_observation_before_compaction"] = figure("B", "", []float64{float64(running) / float64(b.stored.Load())})
	where := "in this process"
	if c.Program != "" {
		where = "in a process of its own"
	}
	r.Notes = append(r.Notes, fmt.Sprintf("the whole program over HTTP with a token, server %s on the same cores as the client; every answer is sent after the sync; %d observations in the Datastream that is read, %d in all",
		where, c.History, b.stored.Load()))
	return r, nil
}

// settled is the size of a store whose log has been worked in, which happens at
// the next start at the latest, and its size once it is compacted.
func settled(ctx context.Context, dir string) (running, compacted int64, err error) {
	for _, to := range []*int64{&running, &compacted} {
		s, err := entitystore.Open(dir, entitystore.Options{})
		if err != nil {
			return 0, 0, err
		}
		if to == &compacted {
			err = s.Compact(ctx)
		}
		if err = errors.Join(err, s.Close()); err != nil {
			return 0, 0, err
		}
		if *to, err = disk.Size(dir); err != nil {
			return 0, 0, err
		}
	}
	return running, compacted, nil
}

// staBench holds one benchmark under way.
type staBench struct {
	c       *Config
	s       *staServer
	streams []string  // Datastreams(…), one a connection, and one to be read
	at      time.Time // of the next observation
	step    atomic.Int64
	stored  atomic.Int64
}

const staThing = `{"name":"Bench","description":"made by plateau bench","Locations":[{"name":"l","description":"d","encodingType":"application/geo+json","location":{"type":"Point","coordinates":[94.36,29.65]}}],"Datastreams":[%s]}`

const staStream = `{"name":"d","description":"d","observationType":"http://www.opengis.net/def/observationType/OGC-OM/2.0/OM_Measurement","unitOfMeasurement":{"name":"n","symbol":"s","definition":"d"},
"Sensor":{"name":"s","description":"d","encodingType":"application/pdf","metadata":"m"},"ObservedProperty":{"name":"p","definition":"d","description":"d"}}`

// things makes a Thing with a Datastream for each connection and one more.
func (b *staBench) things(ctx context.Context) error {
	var all bytes.Buffer
	for i := range STAConns + 1 {
		if i > 0 {
			all.WriteByte(',')
		}
		all.WriteString(staStream)
	}
	k, err := b.s.dial(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	if _, err := k.ask("POST", "/Things", fmt.Appendf(nil, staThing, all.String()), http.StatusCreated); err != nil {
		return err
	}
	body, err := k.ask("GET", "/Datastreams?$top=100&$select=@iot.id&$filter=Thing/name%20eq%20%27Bench%27", nil, http.StatusOK)
	if err != nil {
		return err
	}
	for _, m := range regexp.MustCompile(`"@iot.id":\s*(\d+)`).FindAllSubmatch(body, -1) {
		b.streams = append(b.streams, string(m[1]))
	}
	if len(b.streams) != STAConns+1 {
		return fmt.Errorf("bench: %d Datastreams of %d: %.200s", len(b.streams), STAConns+1, body)
	}
	return nil
}

// observation appends one of a slow curve with noise, as a sensor would send it.
func (b *staBench) observation(buf []byte, n int64) (_ []byte, value []byte) {
	at := b.at.Add(time.Duration(n) * time.Second)
	buf = at.UTC().AppendFormat(buf, time.RFC3339)
	v := 20 + 8*math.Sin(float64(n)/3600) + float64(n*7919%100)/100
	return buf, strconv.AppendFloat(nil, math.Round(v*100)/100, 'f', -1, 64)
}

// single posts Observations one by one over all connections for some seconds.
func (b *staBench) single(ctx context.Context) (rate, p50, p99 float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+time.Duration(b.c.Seconds)*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var took []float64
	began := b.c.Now()
	end := began.Add(time.Duration(b.c.Seconds) * time.Second)
	for i := range STAConns {
		wg.Go(func() {
			mine, fault := b.poster(ctx, b.streams[i], end)
			mu.Lock()
			defer mu.Unlock()
			took, err = append(took, mine...), errors.Join(err, fault)
		})
	}
	wg.Wait()
	if err != nil || len(took) == 0 {
		return 0, 0, 0, errors.Join(err, ctx.Err())
	}
	seconds := b.c.Now().Sub(began).Seconds()
	b.stored.Add(int64(len(took)))
	slices.Sort(took)
	return float64(len(took)) / seconds, took[len(took)/2], took[len(took)*99/100], nil
}

func (b *staBench) poster(ctx context.Context, stream string, end time.Time) (took []float64, err error) {
	k, err := b.s.dial(ctx)
	if err != nil {
		return nil, err
	}
	defer k.close()
	path := "/Datastreams(" + stream + ")/Observations"
	var body []byte
	for began := b.c.Now(); began.Before(end); {
		at, v := b.observation(body[:0], b.step.Add(1))
		body = fmt.Appendf(nil, `{"phenomenonTime":"%s","result":%s}`, at, v)
		if _, err := k.ask("POST", path, body, http.StatusCreated); err != nil {
			return nil, err
		}
		now := b.c.Now()
		took = append(took, float64(now.Sub(began).Microseconds())/1000)
		began = now
	}
	return took, nil
}

// arrays sends data arrays over four connections for some seconds.
func (b *staBench) arrays(ctx context.Context, rows int) (rate float64, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	began := b.c.Now()
	end := began.Add(time.Duration(b.c.Seconds) * time.Second)
	var sent atomic.Int64
	for i := range 4 {
		wg.Go(func() {
			k, fault := b.s.dial(ctx)
			for fault == nil && b.c.Now().Before(end) {
				fault = b.array(k, b.streams[i], rows)
				sent.Add(int64(rows))
			}
			if k != nil {
				k.close()
			}
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, fault)
		})
	}
	wg.Wait()
	b.stored.Add(sent.Load())
	return float64(sent.Load()) / b.c.Now().Sub(began).Seconds(), err
}

func (b *staBench) array(k *staConn, stream string, rows int) error {
	from := b.step.Add(int64(rows)) - int64(rows)
	body := fmt.Appendf(make([]byte, 0, rows*40), `[{"Datastream":{"@iot.id":%s},"components":["phenomenonTime","result"],"dataArray":[`, stream)
	for n := range int64(rows) {
		if n > 0 {
			body = append(body, ',')
		}
		var v []byte
		body, v = b.observation(append(body, `["`...), from+n)
		body = append(append(append(body, `",`...), v...), ']')
	}
	answer, err := k.ask("POST", "/CreateObservations", append(body, "]}]"...), http.StatusCreated)
	if err == nil && (bytes.Contains(answer, []byte(`"error`)) || bytes.Count(answer, []byte(`"http`)) != rows) {
		err = fmt.Errorf("bench: not every row was stored: %.300s", answer)
	}
	return err
}

// history fills the Datastream that is read.
func (b *staBench) history(ctx context.Context) error {
	k, err := b.s.dial(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	for left := b.c.History; left > 0; {
		n := min(left, 10_000)
		if err := b.array(k, b.streams[STAConns], n); err != nil {
			return err
		}
		left -= n
		b.stored.Add(int64(n))
	}
	return nil
}

// read asks for Observations of the Datastream with history and returns how many
// milliseconds the whole answer took.
func (b *staBench) read(ctx context.Context, options string) (float64, error) {
	k, err := b.s.dial(ctx)
	if err != nil {
		return 0, err
	}
	defer k.close()
	if _, err := k.ask("GET", "/Things?$top=0", nil, http.StatusOK); err != nil { // the connection is warm
		return 0, err
	}
	began := b.c.Now()
	body, err := k.ask("GET", "/Datastreams("+b.streams[STAConns]+")/Observations?"+options, nil, http.StatusOK)
	ms := float64(b.c.Now().Sub(began).Microseconds()) / 1000
	if err == nil && !bytes.Contains(body, []byte(`"result"`)) {
		err = fmt.Errorf("bench: no observations in %.200s", body)
	}
	return ms, err
}
