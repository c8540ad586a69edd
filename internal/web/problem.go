package web

// ProblemPage is the page that shows an error to a person.
const ProblemPage = "problem.html"

// ProblemView is its Data: what happened and what was kept, never how the
// program is built.
type ProblemView struct {
	Text     string // whole sentence
	Hint     string // what to do
	Instance string // number also written to the log
}
