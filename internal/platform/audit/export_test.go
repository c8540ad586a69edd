package audit

// CommitFirst and Chained let tests write an entry in the form of before.
var CommitFirst = commitFirst

// Chained is the hash of an entry.
func (e *Entry) Chained(before, commitment string) string { return e.chained(before, commitment) }
