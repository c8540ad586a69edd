// Package leadweb is the pages of leads: the list by strength of evidence, one lead
// with its chart, figures and innocent explanations, what people say of it, what is
// left out for a while, and the detectors with their thresholds and rates.
//
// It owns no data and decides nothing: package lead finds and keeps leads, the
// policy says who may see which. A lead is never shown as a verdict, and nothing
// here ranks enterprises or people.
package leadweb
