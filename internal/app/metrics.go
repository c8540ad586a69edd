package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"plateau/internal/platform/lsm"
	"plateau/internal/sensorthings/entitystore"
	"plateau/internal/sensorthingsweb"
	"plateau/internal/telemetry/gateway"
	"plateau/internal/telemetry/quality"
	"plateau/internal/telemetry/store"
)

// collector shows the parts' own counters to Prometheus.
type collector struct {
	store   *store.Store
	gateway *gateway.Gateway
	engine  quality.Queries
	sta     *sensorthingsweb.Handler
	things  *entitystore.Store
	clock   clock
}

type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

func counter(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("plateau_"+name, help, labels, nil), prometheus.CounterValue}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prometheus.NewDesc("plateau_"+name, help, labels, nil), prometheus.GaugeValue}
}

var (
	mConnections = gauge("hj212_connections", "Loggers connected now.")
	mAccepted    = counter("hj212_connections_total", "Connections taken since the start.")
	mRejected    = counter("hj212_connections_rejected_total", "Connections turned away because there were too many.")
	mBytes       = counter("hj212_received_bytes_total", "Bytes received from loggers.")
	mFrames      = counter("hj212_frames_total", "Frames received, by what became of them.", "verdict")
	mFaults      = counter("hj212_faults_total", "Damaged frames and noise, by the name of the fault.", "fault")
	mThrottled   = counter("hj212_throttled_total", "Times a quota made a peer wait.")
	mUnstored    = counter("hj212_unstored_total", "Frames the store could not take; they were not acknowledged.")
	mDatagrams   = counter("hj212_udp_datagrams_total", "Datagrams received from loggers; their bytes and frames count with all others.")
	mUDPPeers    = gauge("hj212_udp_peers", "Addresses that sent datagrams in the last ten minutes; the state of at most 4,096 is held.")
	mUDPDropped  = counter("hj212_udp_dropped_total", "Frames in datagrams beyond a quota; they were neither kept nor acknowledged.")
	mUDPUnsent   = counter("hj212_udp_unanswered_total", "Answers by datagram that were not sent: longer than what was received, or too many waiting.")
	mGroups      = counter("journal_groups_total", "Groups committed to the journal.")
	mJournal     = counter("journal_frames_total", "Frames committed to the journal.")
	mRaw         = counter("journal_raw_bytes_total", "Bytes of the frames committed.")
	mQueue       = gauge("journal_queue_frames", "Frames waiting for the next commit.")
	mSync        = gauge("journal_commit_seconds", "Duration of the last commit.")
	mDisk        = gauge("store_disk_bytes", "Disk taken by journal, series and derived rows.")
	mTail        = gauge("journal_sequence", "Sequence of the last durable group.")
	mHealthy     = gauge("store_healthy", "1 while frames can be made durable.")
	mBehind      = gauge("judgement_groups_behind", "Groups received but not yet judged.")
	mDirty       = gauge("judgement_dirty_hours", "Hours waiting to be computed again.")
	mFailed      = gauge("judgement_damaged_hours", "Hours and days that cannot be judged because a record of theirs is damaged.")
	mRecompute   = gauge("recompute_hours", "Clock hours of outlets of the recompute under way: all, and those done.", "part")
	mWrites      = counter("sensorthings_writes_total", "Requests of SensorThings clients that changed something.")
	mRefused     = counter("sensorthings_refused_total", "Writes of SensorThings clients that were refused.")
	mObserved    = counter("sensorthings_observations_total", "Observations that SensorThings clients posted.")
	mThings      = gauge("sensorthings_healthy", "1 while what SensorThings clients write can be made durable.")
	mCache       = gauge("store_cache_bytes", "Memory outside of Go's heap for blocks read from disk, by store; it fills up to its limit and stays.", "store")
	mTables      = gauge("store_memtable_bytes", "Memory outside of Go's heap for what is not yet in files, by store; it grows until it is written and starts anew.", "store")
	mStates      = gauge("outlets", "Outlets in each state.", "state")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range []metric{
		mConnections, mAccepted, mRejected, mBytes, mFrames, mFaults, mThrottled, mUnstored, mDatagrams, mUDPPeers, mUDPDropped, mUDPUnsent, mGroups, mJournal,
		mRaw, mQueue, mSync, mDisk, mTail, mHealthy, mBehind, mDirty, mFailed, mRecompute, mStates,
		mWrites, mRefused, mObserved, mThings, mCache, mTables,
	} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	put := func(m metric, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	g := c.gateway.Stats()
	put(mConnections, float64(g.Connections))
	put(mAccepted, float64(g.Accepted))
	put(mRejected, float64(g.Rejected))
	put(mBytes, float64(g.Bytes))
	put(mFrames, float64(g.Stored), "stored")
	put(mFrames, float64(g.Revisions), "revision")
	put(mFrames, float64(g.Repeats), "repeat")
	put(mFrames, float64(g.Quarantined), "quarantined")
	for name, n := range g.Faults {
		put(mFaults, float64(n), name)
	}
	put(mThrottled, float64(g.Throttled))
	put(mUnstored, float64(g.Unstored))
	put(mDatagrams, float64(g.Datagrams))
	put(mUDPPeers, float64(g.UDPPeers))
	put(mUDPDropped, float64(g.UDPDropped))
	put(mUDPUnsent, float64(g.UDPUnanswered))

	s := c.store.Stats()
	put(mGroups, float64(s.Groups))
	put(mJournal, float64(s.Frames))
	put(mRaw, float64(s.RawBytes))
	put(mQueue, float64(s.Queue))
	put(mSync, s.LastSync.Seconds())
	put(mDisk, float64(s.DiskBytes))
	put(mTail, float64(s.Tail))
	healthy := 1.0
	if c.store.Health() != nil {
		healthy = 0
	}
	put(mHealthy, healthy)

	w := c.sta.Stats()
	put(mWrites, float64(w.Requests))
	put(mRefused, float64(w.Refused))
	put(mObserved, float64(w.Observations))
	durable := 1.0
	if c.things.Health() != nil {
		durable = 0
	}
	put(mThings, durable)
	for name, m := range map[string]lsm.Memory{"telemetry": s.Memory, "sensorthings": c.things.Memory()} {
		put(mCache, float64(m.Cache), name)
		put(mTables, float64(m.Tables), name)
	}

	b := c.engine.Backlog()
	put(mBehind, float64(b.Tail-min(b.Tail, b.Cursor)))
	put(mDirty, float64(b.Dirty))
	put(mFailed, float64(b.Failed))
	r, _ := c.engine.Recomputing() // zero when nothing is judged anew
	put(mRecompute, float64(r.Hours), "all")
	put(mRecompute, float64(r.Done), "done")
	if counts, err := c.engine.Counts(c.clock()); err == nil {
		for _, st := range quality.AllStates {
			put(mStates, float64(counts[st]), st.String())
		}
	}
}
