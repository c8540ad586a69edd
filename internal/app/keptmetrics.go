package app

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"plateau/internal/telemetry/keeping"
)

// keptMetrics shows what is kept to Prometheus.
type keptMetrics struct{ keeping *keeping.Service }

var (
	mKept        = gauge("disk_bytes", "Bytes on disk, by kind of data.", "kind")
	mUsed        = gauge("disk_used_bytes", "Bytes used on the disk with the data folder, by whomever.")
	mFree        = gauge("disk_free_bytes", "Bytes free on the disk with the data folder.")
	mGrowth      = gauge("disk_growth_bytes_per_day", "Growth of what is used; absent while too little is known.")
	mForecast    = gauge("disk_forecast_days", "Days until the disk is full; absent while that is not known or not in sight.")
	mFiles       = gauge("archive_files", "Archive files of sealed groups.")
	mSealed      = gauge("archive_sealed_sequence", "Last group of the journal that is sealed.")
	mSealFault   = gauge("archive_failing", "1 while old groups cannot be sealed.")
	mBackup      = gauge("backup_timestamp_seconds", "When the last backup began; absent when none is known.")
	mBackupBytes = gauge("backup_bytes", "Size of the last backup.")
)

// Describe implements prometheus.Collector.
func (*keptMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range []metric{mKept, mUsed, mFree, mGrowth, mForecast, mFiles, mSealed, mSealFault, mBackup, mBackupBytes} {
		ch <- m.desc
	}
}

// Collect implements prometheus.Collector.
func (k *keptMetrics) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := k.keeping.Status(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(mKept.desc, err)
		return
	}
	put := func(m metric, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, labels...)
	}
	for _, s := range st.Kinds {
		put(mKept, float64(s.Bytes), s.Kind)
	}
	put(mUsed, float64(st.Used))
	put(mFree, float64(st.Free))
	if st.Known {
		put(mGrowth, st.PerDay)
	}
	if st.Fills {
		put(mForecast, st.Days)
	}
	put(mFiles, float64(st.Files))
	put(mSealed, float64(st.Sealed))
	failing := 0.0
	if st.Fault != nil {
		failing = 1
	}
	put(mSealFault, failing)
	if !st.Backup.At.IsZero() {
		put(mBackup, float64(st.Backup.At.Unix()))
		put(mBackupBytes, float64(st.Backup.Bytes))
	}
}
