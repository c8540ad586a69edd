package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"plateau/internal/accountweb"
	"plateau/internal/caseweb"
	"plateau/internal/leadweb"
	"plateau/internal/markweb"
	"plateau/internal/peopleweb"
	"plateau/internal/platform/access"
	"plateau/internal/platform/audit"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/backup"
	"plateau/internal/platform/calendar"
	"plateau/internal/platform/casenotice"
	"plateau/internal/platform/casework"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/evidence"
	"plateau/internal/platform/httpd"
	"plateau/internal/platform/i18n"
	"plateau/internal/platform/notify"
	"plateau/internal/platform/obs"
	"plateau/internal/platform/people"
	"plateau/internal/platform/personal"
	"plateau/internal/publicweb"
	"plateau/internal/relayweb"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthings/mqtt"
	"plateau/internal/sensorthings/outlets"
	stawrite "plateau/internal/sensorthings/write"
	"plateau/internal/sensorthingsweb"
	"plateau/internal/telemetry"
	"plateau/internal/telemetry/alarm"
	"plateau/internal/telemetry/archive"
	"plateau/internal/telemetry/backfill"
	"plateau/internal/telemetry/dialogue"
	"plateau/internal/telemetry/events"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/handover"
	"plateau/internal/telemetry/keeping"
	"plateau/internal/telemetry/lead"
	"plateau/internal/telemetry/mark"
	"plateau/internal/telemetry/notice"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/relay"
	"plateau/internal/telemetry/reportjob"
	"plateau/internal/telemetry/simulator"
	"plateau/internal/telemetry/store"
	"plateau/internal/telemetry/supervise"
	"plateau/internal/telemetry/webhook"
	"plateau/internal/telemetryweb"
	"plateau/internal/web"
	"plateau/rules"
)

// TelemetryDir is the folder of the journal inside the data folder.
const TelemetryDir = "telemetry"

// Options are what the commands give.
type Options struct {
	ConfigFile string            // TOML; "" = none
	Env        []string          // as os.Environ gives it
	Flags      map[string]string // settings given as flags, by key
	Demo       bool
	STAOpen    bool   // SensorThings without sign-in and limits; of a demonstration only
	SeriesDir  string // real series for the demonstration; "" = where they are found, else generated
	Version    string
	Stdout     io.Writer // addresses
	Stderr     io.Writer // log
	Now        func() time.Time
	Cost       auth.Cost // of a password; zero is the default, tests take a cheap one
}

// App is the running program.
type App struct {
	o        Options
	c        config.Config
	now      func() time.Time
	log      *slog.Logger
	tempDir  string // removed at the end; "" = the data folder stays
	db       *db.DB
	store    *store.Store
	entities *entitystore.Store // what SensorThings clients made
	outlets  *outlets.Source
	writer   *stawrite.Writer
	broker   *mqtt.Broker // nil = no MQTT
	sta      *sensorthingsweb.Handler
	registry *telemetry.Registry
	engine   *quality.Engine
	alarms   *alarm.Service
	leads    *lead.Service
	events   *events.Log
	hooks    *webhook.Service
	relays   *relay.Service
	notify   *notify.Service
	notices  *notice.Service
	gateway  *gateway.Gateway
	asks     *dialogue.Service
	gaps     *backfill.Service // nil while unknown loggers are registered by themselves
	pages    *telemetryweb.Handler
	http     *httpd.Server
	plain    *httpd.Server // sends people on to https; nil = none
	services *httpd.Server // for programs with a key of their own; nil = none
	tls      *httpd.TLS    // nil = plain HTTP
	profiles *httpd.Server // nil = none
	auth     *auth.Service
	people   *people.Service
	marks    *mark.Service
	workdays *calendar.Set // calendars by area
	types    *casework.Types
	cases    *casework.Service
	evidence *evidence.Service   // files that come with cases
	overseer *supervise.Service  // cases of alarms
	told     *casenotice.Service // telling people of cases
	reports  *reportjob.Service
	progress progress
	control  net.Listener // orders of commands on this machine; nil = the folder can have none
	keeping  *keeping.Service
	copying  sync.Mutex // held while a backup is made
	exports  sync.Mutex // held while records are exported
	ready    obs.Readiness
	samples  []auth.SampleSignIn
	firstKey string           // of the link by which the first operator sets a password; "" = somebody has one
	real     *simulator.Real  // series of a demonstration; nil = generated ones
	world    *simulator.World // loggers of a demonstration
	history  time.Duration    // what is filled in of it at the start
	filled   chan struct{}    // closed when that is there; nil without a demonstration

	httpAddr, hjAddr string
	plainAddr        string // "" = plain HTTP is not answered
	servicesAddr     string // "" = no program asks with a key of its own
	mqttAddr         string // "" = no broker
	udpAddr          string // "" = no datagrams
}

// Run starts the program, prints its addresses, and serves until ctx ends.
func Run(ctx context.Context, o Options) error {
	a, err := New(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(a.Serve(ctx), a.Close())
}

// New opens everything and listens; nothing is served yet.
func New(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{o: o, now: o.Now, history: historySpan}
	if a.now == nil {
		a.now = time.Now //nolint:forbidigo // the program's one clock starts here
	}
	if o.STAOpen && !o.Demo {
		return nil, errors.New("SensorThings is open to everybody in a demonstration only; give writers a token instead")
	}
	defaults := config.Default()
	temporary := filepath.Join(os.TempDir(), "plateau-demo-*")
	if o.Demo {
		defaults.Data = temporary
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	var unknown []string
	if a.c, unknown, err = config.Load(config.Source{Defaults: defaults, File: o.ConfigFile, Env: o.Env, Flags: o.Flags}); err != nil {
		return nil, err
	}
	if o.Demo && a.c.Data == temporary { // nobody named another one
		if a.tempDir, err = os.MkdirTemp(filepath.Split(temporary)); err != nil {
			return nil, fmt.Errorf("make a folder for the demonstration: %w", err)
		}
		a.c.Data = a.tempDir
	}
	if a.log, err = obs.NewLogger(o.Stderr, a.c.Log.Level, a.c.Log.Format); err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		a.log.WarnContext(ctx, "environment variables set nothing", slog.Any("names", unknown))
	}
	RaiseFileLimit()
	if o.Demo {
		if a.real, err = a.series(ctx); err != nil {
			return nil, err
		}
	}
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	if err := a.listen(); err != nil {
		return nil, err
	}
	a.listenControl(ctx)
	if o.Demo {
		a.progress.set(0, 1)
		a.filled = make(chan struct{})
		a.ready.Hold(partHistory, "the history of the demonstration is being filled in")
	}
	return a, a.announce(ctx)
}

// open opens databases and makes the parts.
func (a *App) open(ctx context.Context) (err error) {
	c := &a.c
	if err := os.MkdirAll(c.Data, 0o750); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if err := backup.Restored(c.Data); err != nil {
		return err
	}
	if a.workdays, err = loadCalendars(c.Data); err != nil {
		return err
	}
	if a.types, err = loadCaseTypes(c.Data); err != nil {
		return err
	}
	if a.db, err = db.Open(ctx, c.DatabaseURL()); err != nil {
		return err
	}
	places, err := archivePlaces(c)
	if err != nil {
		return err
	}
	kept := store.Options{Now: a.now, Logger: a.log, Archive: archive.NewReader(0, places...)}
	if a.store, err = store.Open(filepath.Join(c.Data, TelemetryDir), kept); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%w; stop that one, or choose another folder with --data", err)
		}
		return err
	}
	if err := os.RemoveAll(filepath.Join(c.Data, backup.StageName)); err != nil { // of a backup that was killed
		return fmt.Errorf("clear what a broken-off backup left: %w", err)
	}
	a.keeping = keeping.New(keeping.Options{
		DB: a.db, Data: c.Data, Folders: a.keptFolders(),
		Store: a.store, Place: places[0], Stage: filepath.Join(c.Data, sealingDir), SealAfter: time.Duration(c.Keeping.SealAfter), Now: a.now, Logger: a.log,
	})
	if a.registry, err = telemetry.Open(ctx, a.db, a.now); err != nil {
		return err
	}
	a.tellStrayCalendars(ctx)
	sealer, err := auth.OpenSealer(filepath.Join(c.Data, auth.KeyFile))
	if err != nil {
		return err
	}
	a.people = people.New(a.db, a.now, registryPlaces{a.registry}, func() { a.auth.Forget() })
	var demand []auth.Role
	for _, k := range c.Session.Kinds() {
		demand = append(demand, auth.Role(k))
	}
	a.auth = auth.New(a.db, a.now, auth.Options{Cost: a.o.Cost, Demand: demand, Posts: a.people, Sealer: sealer, Idle: time.Duration(c.Session.Idle), Life: time.Duration(c.Session.Life), Proxies: c.HTTP.Networks(), URL: c.HTTP.URL, Most: time.Duration(c.Tokens.MaxLife)})
	if err := a.accounts(ctx); err != nil {
		return err
	}
	if a.reports, err = a.reportJobs(); err != nil {
		return err
	}
	if a.engine, err = quality.New(quality.Options{Store: a.store, Registry: a.registry, History: a.registry, Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	a.marks = mark.New(mark.Options{DB: a.db, Registry: a.registry, Judge: a.engine, Now: a.now, Logger: a.log})
	if err := a.openEntities(); err != nil {
		return err
	}
	if a.o.Demo {
		if err := a.sampleEntities(ctx); err != nil {
			return err
		}
	}
	o := gateway.Options{
		Addr: c.HJ212.Addr, Store: a.store, Registry: a.registry, Now: a.now, Logger: a.log, AdoptUnknown: c.HJ212.AdoptUnknown,
		FirstLink: c.HJ212.FirstLink, Ask: a.askLogger, MaxConns: c.HJ212.MaxConns, IdleTimeout: time.Duration(c.HJ212.IdleTimeout),
	}
	if a.o.Demo { // the history comes over few connections, fast
		o.MNRate, o.ConnRate = gateway.Rate{PerSecond: -1}, gateway.Rate{PerSecond: -1}
	}
	if a.gateway, err = gateway.New(o); err != nil {
		return err
	}
	if a.events, err = events.New(events.Options{DB: a.db, Registry: a.registry, Now: a.now, Logger: a.log, Keep: time.Duration(c.Events.Keep)}); err != nil {
		return err
	}
	if a.hooks, err = webhook.New(webhook.Options{
		DB: a.db, Log: a.events, Registry: a.registry, Now: a.now, Logger: a.log, BaseURL: c.HTTP.URL, Private: c.Webhooks.AllowPrivate,
		Timeout: time.Duration(c.Webhooks.Timeout), GiveUp: time.Duration(c.Webhooks.GiveUp), Workers: c.Webhooks.Workers,
	}); err != nil {
		return err
	}
	if err := a.openRelay(ctx, sealer); err != nil {
		return err
	}
	if err := a.openNotify(); err != nil {
		return err
	}
	if a.alarms, err = alarm.New(alarm.Options{Changed: a.alarmsChanged, DB: a.db, Engine: a.engine, Live: a.engine, Loggers: a.gateway, Registry: a.registry, Now: a.now, Logger: a.log}); err != nil {
		return err
	}
	if err := a.openEvidence(); err != nil {
		return err
	}
	if a.cases, err = newCases(ctx, a.db, a.types, a.workdays, a.registry, a.people, a.now); err != nil {
		return err
	}
	a.cases.PostSees = a.postSees
	a.cases.Files = a.evidence
	if err := a.openSupervision(); err != nil {
		return err
	}
	if a.o.Demo {
		if err := a.sampleCases(ctx); err != nil {
			return err
		}
	}
	if err := a.openDialogues(ctx); err != nil {
		return err
	}
	return a.openLeads()
}

// accounts makes what accounts the program needs to be used.
func (a *App) accounts(ctx context.Context) (err error) {
	if a.o.Demo {
		region := simulator.RegionAt(a.now())
		if err := a.registry.Load(ctx, telemetry.LoadInput{Areas: region.Areas, Enterprises: region.Enterprises, Outlets: region.Outlets, Devices: region.Devices}, auth.System); err != nil {
			return fmt.Errorf("load the sample region: %w", err)
		}
		if a.world, err = a.sampleWorld(); err != nil {
			return err
		}
		plant, county := a.overLimit()
		if a.samples, err = a.auth.EnsureSamples(ctx, region.Enterprises[0].ID, plant, county); err != nil {
			return err
		}
		return a.samplePosts(ctx)
	}
	a.firstKey, err = a.auth.EnsureOperator(ctx)
	return err
}

// listen opens the ports, so that addresses are known and conflicts show before anything runs.
func (a *App) listen() (err error) {
	handler, err := a.handler()
	if err != nil {
		return err
	}
	if a.tls, err = a.openTLS(); err != nil {
		return err
	}
	a.http = httpd.New(httpd.Options{Addr: a.c.HTTP.Addr, Handler: handler, Logger: a.log, TLS: a.tls})
	if a.httpAddr, err = a.http.Listen(); err != nil {
		return taken(err, "--http")
	}
	if a.c.HTTP.TLS.PlainAddr != "" {
		a.plain = httpd.New(httpd.Options{Addr: a.c.HTTP.TLS.PlainAddr, Handler: a.tls.Plain(a.c.HTTP.URL), Logger: a.log})
		if a.plainAddr, err = a.plain.Listen(); err != nil {
			return fmt.Errorf("http.tls.plain_addr: %w", err)
		}
	}
	if a.services, err = a.openServices(handler); err != nil {
		return err
	}
	if a.services != nil {
		if a.servicesAddr, err = a.services.Listen(); err != nil {
			return fmt.Errorf("services.addr: %w", err)
		}
	}
	if a.hjAddr, err = a.gateway.Listen(); err != nil {
		return taken(err, "--hj212")
	}
	if a.broker != nil {
		if a.mqttAddr, err = a.broker.Listen(); err != nil {
			return taken(err, "--mqtt")
		}
	}
	if a.c.Profile.Addr != "" {
		a.profiles = httpd.New(httpd.Options{Addr: a.c.Profile.Addr, Handler: obs.Profiles(), Logger: a.log})
		if _, err = a.profiles.Listen(); err != nil {
			return fmt.Errorf("profile.addr: %w", err)
		}
	}
	if a.c.HJ212.UDPAddr != "" {
		if a.udpAddr, err = a.gateway.ListenUDP(a.c.HJ212.UDPAddr); err != nil {
			return taken(err, "--hj212-udp")
		}
	}
	return nil
}

// taken says what to do when something else listens on an address.
func taken(err error, flag string) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w; stop what listens there, or choose another address with %s (with port 0 a free one is taken)", err, flag)
	}
	return err
}

// reachable is an address as it can be dialled on this machine: who listens on
// all addresses is found at the loopback one.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return addr
}

// announce prints the fixed lines, before anything else is printed.
func (a *App) announce(ctx context.Context) error {
	fmt.Fprintf(a.o.Stdout, "http: %s\nhj212: %s\n", a.here(), reachable(a.hjAddr))
	if a.plain != nil {
		fmt.Fprintf(a.o.Stdout, "plain http: http://%s\n", reachable(a.plainAddr))
	}
	if a.services != nil {
		fmt.Fprintf(a.o.Stdout, "services: https://%s\n", reachable(a.servicesAddr))
	}
	if a.broker != nil {
		fmt.Fprintf(a.o.Stdout, "mqtt: %s\n", reachable(a.mqttAddr))
	}
	if a.udpAddr != "" {
		fmt.Fprintf(a.o.Stdout, "hj212-udp: %s\n", reachable(a.udpAddr))
	}
	if a.o.Demo || a.c.HJ212.AdoptUnknown {
		token, err := a.operatorToken(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.o.Stdout, "operator token: %s\n", token)
	}
	if a.firstKey != "" {
		link := a.address() + auth.LinkPath + a.firstKey
		fmt.Fprintf(a.o.Stdout, "first sign-in: %s\n", link)
		path, err := auth.WriteFirstLink(a.c.Data, link)
		if err != nil {
			return err
		}
		a.log.InfoContext(ctx, "nobody can sign in yet: the link that sets the operator's password is in a file, good for a day and for once", slog.String("file", path))
	}
	for _, s := range a.samples {
		fmt.Fprintf(a.o.Stdout, "sign-in: %s / %s\n", s.Login, s.Password)
	}
	if a.c.HJ212.AdoptUnknown {
		a.log.WarnContext(ctx, "unknown loggers are registered by themselves and quotas are lifted: for trials only")
	}
	return nil
}

// address is where people reach the program, for links.
func (a *App) address() string {
	return cmp.Or(strings.TrimSuffix(a.c.HTTP.URL, "/"), a.here())
}

// here is where the program answers on this machine.
func (a *App) here() string {
	if a.tls != nil {
		return "https://" + reachable(a.httpAddr)
	}
	return "http://" + reachable(a.httpAddr)
}

// tokenLife is how long the token of a trial holds.
const tokenLife = 30 * 24 * time.Hour

func (a *App) operatorToken(ctx context.Context) (string, error) {
	return a.auth.OperatorToken(ctx, "printed at the start", tokenLife)
}

// handler mounts the routes behind the edge.
func (a *App) handler() (http.Handler, error) {
	assets, err := web.LoadAssets()
	if err != nil {
		return nil, err
	}
	catalogue := i18n.Default()
	engine, err := web.New(web.Options{
		Catalogue: catalogue, Templates: []fs.FS{telemetryweb.Templates(), publicweb.Templates(), accountweb.Templates(), peopleweb.Templates(), caseweb.Templates(), markweb.Templates(), leadweb.Templates(), relayweb.Templates()}, Assets: assets, Links: telemetryweb.Links(),
		Version: a.o.Version, Adopt: a.c.HJ212.AdoptUnknown, Unread: a.unread,
	})
	if err != nil {
		return nil, err
	}
	registry := &withLimits{registry: a.registry, limits: rules.Default().Limits().All()}
	deps := telemetryweb.Deps{
		Engine: engine, Registry: registry,
		Editor: &editor{a.registry, a.store}, Quality: a.engine, WhatIf: a.engine, Alarms: &alarmBook{a.alarms}, Journal: a.store, Gateway: a.gateway,
		Sessions: &sessions{a.auth}, Public: a.c.Public.Enabled, Filling: a.filling, Now: a.now, Logger: a.log,
		Jobs: a.reports, Handover: handover.New(a.db, a.now), Commands: a.asks, Webhooks: a.hooks, Events: a.events, BaseURL: a.c.HTTP.URL,
		Limiter: httpd.NewLimiter(a.c.API.Rate, a.c.API.Burst, a.now),
	}
	for _, s := range a.samples {
		deps.SampleUsers = append(deps.SampleUsers, telemetryweb.SampleUser{Name: s.Login, Password: s.Password, Post: telemetry.Name(s.Post)})
	}
	provider, err := a.provider()
	if err != nil {
		return nil, err
	}
	accounts := accountweb.New(accountweb.Deps{
		Engine: engine, Auth: a.auth, BaseURL: a.c.HTTP.URL, DB: a.db, People: a.people, Notify: a.notify, Changes: a.registryChanges, Now: a.now, Provider: provider, Logger: a.log,
	})
	deps.SignInWays = accounts.Ways
	deps.Dialogues, deps.Keeping, deps.Things, deps.Addresses = a.asks, a.keeping, a.entities, Routes()
	deps.Operations = caseweb.Operations()
	deps.Supervision = &alarmCases{a.overseer, a.alarms}
	if a.gaps != nil {
		deps.Gaps = a.gaps
	}
	if a.world != nil {
		deps.Origin = a.origin
	}
	a.pages = telemetryweb.New(deps)

	a.sta = a.sensorThings()
	metrics := obs.NewMetrics(a.o.Version)
	if err := metrics.Register(&keptMetrics{a.keeping}); err != nil {
		return nil, err
	}
	if err := metrics.Register(&toldMetrics{a.alarms, a.hooks, a.notify, a.broker}); err != nil {
		return nil, err
	}
	if err := metrics.Register(&relayMetrics{a.relays, a.now}); err != nil {
		return nil, err
	}
	if err := metrics.Register(&collector{a.store, a.gateway, a.engine, a.sta, a.entities, a.now}); err != nil {
		return nil, err
	}
	a.ready.Check("store", a.store.Health)
	a.ready.Check("sensorthings", a.entities.Health)

	mux := http.NewServeMux()
	own := map[string]http.Handler{
		"/healthz": http.HandlerFunc(obs.Healthy), "/readyz": &a.ready, "/metrics": obs.MetricsHandler(metrics), "/assets/": assets,
	}
	for _, rt := range ownRoutes() {
		access.Default().Declared(rt.Method, rt.Path, rt.May)
		mux.Handle(rt.Method+" "+rt.Path, own[rt.Path])
	}
	a.pages.Register(mux)
	accounts.Links = a.pages.LinksFor
	accounts.Register(mux)
	peopleweb.New(peopleweb.Deps{Engine: engine, People: a.people, Auth: a.auth, Names: registryPlaces{a.registry}, Links: a.pages.LinksFor, Now: a.now}).Register(mux)
	relayweb.New(relayweb.Deps{Engine: engine, Relays: a.relays, Registry: a.registry, Links: a.pages.LinksFor, Now: a.now}).Register(mux)
	uploads, err := a.evidence.Uploads(caseweb.UploadPath)
	if err != nil {
		return nil, err
	}
	caseweb.New(caseweb.Deps{
		Engine: engine, Cases: a.cases, Files: a.evidence, Uploads: uploads, Limiter: deps.Limiter, UnitName: a.unitName, UnitsIn: a.unitsIn, PostsOn: a.postsOn, PostName: a.postName, AreaName: a.areaName, Areas: registryPlaces{a.registry}.Areas, ContactDays: int(personal.Default().Life("case_contact").Hours() / 24), Choices: a.caseChoices, Auth: a.auth, From: func(r *http.Request) string { return a.auth.Client(r).Address }, Links: a.pages.LinksFor, Now: a.now,
	}).Register(mux)
	markweb.New(markweb.Deps{Engine: engine, Marks: a.marks, Registry: a.registry, Hours: a.engine, Links: a.pages.LinksFor, Now: a.now}).Register(mux)
	leadweb.New(leadweb.Deps{Engine: engine, Leads: a.leads, Rows: a.engine, Registry: registry, Cases: leadCases{a}, Links: a.pages.LinksFor, Now: a.now}).Register(mux)
	public := publicweb.New(publicweb.Deps{
		Engine: engine, Registry: registry, Quality: a.engine, Rules: rules.Default(), Alarms: a.alarms, Cases: publicCases{a}, Publisher: a.c.Public.Publisher, Licence: a.c.Public.Licence, LicenceURL: a.c.Public.LicenceURL,
		Version: a.o.Version, Now: a.now, Logger: a.log,
	})
	if a.c.Public.Enabled {
		public.Register(mux)
	}
	edge := &httpd.Edge{
		Answer:    sensorThingsFault,
		Translate: func(r *http.Request) func(string, ...any) string { return catalogue.For(web.RequestLang(r)).T },
		Page: func(w http.ResponseWriter, r *http.Request, d httpd.Details) bool {
			if a.c.Public.Enabled && publicweb.Owns(r.URL.Path) {
				return public.ProblemPage(w, r, d)
			}
			if d.Status == http.StatusForbidden && auth.From(r.Context()).Unsettled {
				http.Redirect(w, r, web.Path(web.RequestLang(r), "/account/second-factor"), http.StatusSeeOther) //nolint:gosec // one of three languages before a path of ours
				return true
			}
			return a.pages.ProblemPage(w, r, d)
		},
	}
	return a.withMQTT(httpd.Wrap(audit.Middleware(func(r *http.Request) string { return a.auth.Client(r).Address }, a.withSensorThings(a.sta, httpd.Mux(mux))), edge, a.log, a.now)), nil
}

func (a *App) filling() (done, total int) {
	active, percent := a.progress.percent()
	if !active {
		return 0, 0
	}
	return percent, 100
}

// Serve runs the parts until ctx ends or one of them fails, then waits until all
// have stopped. Frames received last are judged at the next start.
func (a *App) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(name string, fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(ctx); err != nil && !errors.Is(err, context.Canceled) {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	run("gateway", a.gateway.Serve)
	run("pages", a.http.Serve)
	if a.plain != nil {
		run("plain http", a.plain.Serve)
	}
	if a.services != nil {
		run("services", a.services.Serve)
	}
	if a.tls != nil {
		run("certificates", a.obtainCertificates)
	}
	if a.profiles != nil {
		run("profiles", a.profiles.Serve)
	}
	run("judgement", a.engine.Run)
	run("alarms", a.alarms.Run)
	run("leads", a.lookForLeads)
	run("events", func(ctx context.Context) error { return a.events.Follow(ctx, a.engine, eventsEvery) })
	run("marks", func(ctx context.Context) error { a.marks.Run(ctx, time.Hour); return nil })
	run("passwords", func(ctx context.Context) error { return a.asks.WatchPasswords(ctx, settlePasswords) })
	if a.gaps != nil {
		run("back-fill", a.backfill)
		clocks := dialogue.NewClocks(a.asks, a.gateway, rules.Default(), a.c.HJ212.SetClock)
		run("clocks", func(ctx context.Context) error { return clocks.Run(ctx, time.Minute) })
	}
	run("webhooks", a.hooks.Run)
	run("relay", a.relays.Run)
	run("notifications", a.notify.Run)
	run("reminders", func(ctx context.Context) error { return a.notices.Run(ctx, a.alarms) })
	if a.broker != nil {
		a.serveMQTT(run)
	}
	run("cases", a.sweepCases)
	run("evidence", a.evidence.Run)
	run("cases of alarms", a.superviseAlarms)
	run("reports", a.reports.Run)
	run("orders", a.serveControl)
	run("failed sign-ins", a.noteFailures)
	run("retention", a.retain)
	run("keeping", a.keeping.Run)
	if a.o.Demo {
		run("demonstration", a.play)
	}
	run("service manager", a.tellManager)
	<-ctx.Done()
	a.log.InfoContext(ctx, "stopping", slog.Any("reason", context.Cause(ctx)))
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Close closes what is open; it may be called after New has failed.
func (a *App) Close() error {
	var errs []error
	if a.control != nil {
		_ = a.control.Close() // where Serve ran it is closed already
	}
	if a.pages != nil {
		a.pages.Close()
	}
	if a.asks != nil {
		a.asks.Close()
	}
	if a.registry != nil {
		a.registry.Close()
	}
	if a.entities != nil {
		errs = append(errs, a.entities.Close())
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.tempDir != "" {
		errs = append(errs, os.RemoveAll(a.tempDir))
	}
	return errors.Join(errs...)
}

// eventsEvery is how often states of outlets are compared with the last ones told.
const eventsEvery = 15 * time.Second

// partHistory is what a fresh demonstration is not ready without.
const partHistory = "history"

// RaiseFileLimit allows as many open sockets as the system permits.
func RaiseFileLimit() {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) == nil && l.Cur < l.Max {
		l.Cur = l.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l)
	}
}
