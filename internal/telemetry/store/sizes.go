package store

// Sizes are estimates of the disk taken, in bytes.
type Sizes struct {
	Frames int64 // groups in the journal
	Series int64 // rows of what was reported
	Judged int64 // rows of projections
	Index  int64 // everything else
}

// Sizes estimates what each kind takes. What is only in the log and in memory
// tables yet is not counted by kind, but in Index.
func (s *Store) Sizes() (z Sizes, err error) {
	e, err := s.use()
	if err != nil {
		return z, err
	}
	defer e.Release()
	of := func(prefix byte) int64 {
		n, sizeErr := e.DB.EstimateDiskUsage([]byte{prefix}, []byte{prefix + 1})
		if sizeErr != nil {
			err = sizeErr
		}
		return int64(n)
	}
	z.Frames, z.Series, z.Judged = of(pJournal), of(pSeries), of(pDerived)
	z.Index = max(0, int64(e.DB.Metrics().DiskSpaceUsage())-z.Frames-z.Series-z.Judged)
	return z, err
}
