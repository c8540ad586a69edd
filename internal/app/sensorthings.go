package app

import (
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"plateau/internal/platform/auth"
	"plateau/internal/platform/httpd"
	"plateau/internal/sensorthings"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/outlets"
	"plateau/internal/sensorthings/read"
	stawrite "plateau/internal/sensorthings/write"
	"plateau/internal/sensorthingsweb"
	"plateau/internal/telemetry"
	"plateau/internal/telemetryweb"
)

// SensorThingsDir is the folder of what clients made, inside the data folder.
const SensorThingsDir = "sensorthings"

// openEntities opens the store of what clients make and shows the outlets beside
// it.
func (a *App) openEntities() (err error) {
	a.entities, err = entitystore.Open(filepath.Join(a.c.Data, SensorThingsDir), entitystore.Options{Now: a.now, Logger: a.log})
	if err != nil {
		return err
	}
	a.outlets, err = outlets.New(outlets.Options{Store: a.store, Registry: a.registry, Quality: a.engine, Now: a.now, Logger: a.log, Link: a.link})
	if err != nil {
		return err
	}
	a.writer = stawrite.New(stawrite.Options{Store: a.entities, Outlets: a.outlets.Reader(everyOutlet), Now: a.now})
	return a.openMQTT()
}

func everyOutlet(*telemetry.Outlet) bool { return true }

// link makes an address of this program absolute where its own is configured.
func (a *App) link(path string) string { return strings.TrimRight(a.c.HTTP.URL, "/") + path }

// seenBy is what somebody sees of SensorThings: all that clients made, and the
// outlets that their permissions show them.
func (a *App) seenBy(p auth.Principal) sensorthings.Reader {
	grants := p.Grants()
	sees := func(o *telemetry.Outlet) bool { return telemetryweb.Sees(grants, o, a.registry.Snapshot()) }
	return sensorthings.Join(a.outlets.Reader(sees), a.entities)
}

// visible is what the sender of a request sees.
func (a *App) visible(r *http.Request) sensorthings.Reader {
	if a.o.STAOpen {
		return a.seenBy(auth.System)
	}
	return a.seenBy(auth.From(r.Context()))
}

// sensorThings is the handler under /sta.
func (a *App) sensorThings() *sensorthingsweb.Handler {
	return sensorthingsweb.New(sensorthingsweb.Deps{
		Reader: a.visible, Write: a.writer, Open: a.o.STAOpen, Rate: a.c.SensorThings.Rate, ExternalURL: a.c.HTTP.URL,
		Limits:      read.Limits{Rows: int64(a.c.SensorThings.MaxRows), Time: time.Duration(a.c.SensorThings.MaxTime)},
		Conformance: sensorthingsweb.WriteConformance(), MQTT: a.mqttEndpoints,
		Now: a.now, Logger: a.log,
	})
}

// withSensorThings sends what is under /sta to its handler, which reads
// addresses in its own way. Open to everybody, it does not ask who it is.
func (a *App) withSensorThings(sta *sensorthingsweb.Handler, others http.Handler) http.Handler {
	known := a.auth.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if underSensorThings(r) {
			sta.ServeHTTP(w, r)
			return
		}
		others.ServeHTTP(w, r)
	}))
	if !a.o.STAOpen {
		return known
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if underSensorThings(r) {
			sta.ServeHTTP(w, r)
			return
		}
		known.ServeHTTP(w, r)
	})
}

func underSensorThings(r *http.Request) bool {
	return r.URL.Path == "/sta" || strings.HasPrefix(r.URL.Path, "/sta/")
}

// sensorThingsFault answers in the form of the SensorThings interface what went
// wrong before its handler.
func sensorThingsFault(w http.ResponseWriter, r *http.Request, d httpd.Details) bool {
	if !underSensorThings(r) {
		return false
	}
	sensorthingsweb.Cross(w, r)
	sensorthingsweb.Fault(w, d.Status, d.Detail)
	return true
}
