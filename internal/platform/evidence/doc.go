// Package evidence keeps the files that come with cases: photos, recordings,
// documents, tracks.
//
// It owns the folder DATA/evidence, in which a file is called by the SHA-256 of its
// bytes, and the tables of who brought which, and which case refers to it. What a
// file is, its bytes say, never its name. An original is never changed, and given to
// few; what others see of a picture are copies that were drawn anew, smaller and
// without anything a camera wrote beside the picture.
//
// It refuses to look for anything in a picture: no faces, no plates, no words.
// Limits are dated data (rule evidence.files).
package evidence
