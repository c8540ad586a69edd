package outlets

import (
	"context"
	"testing"
	"time"

	"plateau/internal/sensorthings"
)

// Whoever follows hears of records as they come and of hours once they are over.
func TestFollow(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.setClock(day0.Add(time.Hour + 30*time.Minute))
	k.fill(t, day0, 1) // before
	heard := make(chan sensorthings.Observation, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- k.Follow(ctx, func() bool { return true }, func(o *sensorthings.Observation) { heard <- copied(o) })
	}()
	want := func(ds sensorthings.ID, result string) {
		t.Helper()
		over := time.After(20 * time.Second)
		for {
			select {
			case o := <-heard:
				if o.Datastream == ds && string(o.Result) == result {
					return
				}
				if o.Phenomenon.Start < day0.Add(time.Hour).UnixMicro() && string(o.Result) != "null" && k.numbers.list.Load().byID[o.Datastream].level < hour {
					t.Errorf("an old record was announced: %+v", o)
				}
			case <-over:
				t.Fatalf("nothing heard of Datastream %d", ds)
			}
		}
	}
	time.Sleep(50 * time.Millisecond) // Follow begins with what comes from now on
	k.send(t, 1, 2011, day0.Add(90*time.Minute), "a21002-Rtd=12.5,a21002-Flag=N")
	want(k.stream(t, 1, "a21002", realtime, "Rtd"), "12.5")
	for i := range 6 {
		k.send(t, 1, 2051, day0.Add(time.Hour+time.Duration(i)*10*time.Minute), "a21002-Avg=20,a21002-Flag=N")
	}
	want(k.stream(t, 1, "a21002", minute, "Avg"), "20")
	k.judge(t)
	k.setClock(day0.Add(2*time.Hour + time.Minute))
	want(k.stream(t, 1, "a21002", hour, "Avg"), "20")
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
