// Package publicweb shows residents what the outlets around them emit, without
// sign-in and without scripts: the state of a county in one sentence, the page
// of an outlet, its history, files for other programs and a feed.
//
// It owns these pages' view structs and templates, the columns of the published
// files and the feed's entries. What may be shown is the dated rule
// public.publish; it decides nothing else: states, means and limits come from
// package quality. It reads judged hours and days only and has no access to
// frames, loggers or minute values. It never says that water or air is safe:
// a figure is within a limit, over it, or there is none.
//
// Pages are drawn at most once a minute for all readers (see cache), files are
// streamed a few at a time, so that readers do not disturb what is coming in.
package publicweb
