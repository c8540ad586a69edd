package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// S3 is a bucket of an S3-compatible store.
type S3 struct {
	client         *minio.Client
	bucket, prefix string
	shown          string
}

// S3Options say how to reach a bucket.
type S3Options struct {
	Place     string // s3://BUCKET/PREFIX
	Endpoint  string // https://HOST:PORT
	Region    string
	AccessKey string
	SecretKey string
	Transport http.RoundTripper // nil = the usual one
}

// OpenS3 checks the options; nothing is asked of the store yet.
func OpenS3(o S3Options) (*S3, error) {
	at, err := url.Parse(o.Place)
	if err != nil || at.Scheme != "s3" || at.Host == "" {
		return nil, fmt.Errorf("%q is no place in an object store; write s3://BUCKET/PREFIX", o.Place)
	}
	end, err := url.Parse(o.Endpoint)
	if err != nil || end.Host == "" || end.Scheme != "http" && end.Scheme != "https" || strings.Trim(end.Path, "/") != "" {
		return nil, fmt.Errorf("keeping.s3_endpoint is %q; write https://HOST:PORT", o.Endpoint)
	}
	client, err := minio.New(end.Host, &minio.Options{
		Creds: credentials.NewStaticV4(o.AccessKey, o.SecretKey, ""), Secure: end.Scheme == "https", Region: o.Region,
		BucketLookup: minio.BucketLookupPath, Transport: o.Transport, MaxRetries: 2,
	})
	if err != nil {
		return nil, fmt.Errorf("object store: %w", err)
	}
	prefix := strings.Trim(at.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	return &S3{client: client, bucket: at.Host, prefix: prefix, shown: o.Place + " at " + end.Host}, nil
}

// String implements Place.
func (s *S3) String() string { return s.shown }

// Put implements Place: the store answers when it has the whole object.
func (s *S3) Put(ctx context.Context, name, path string) error {
	_, err := s.client.FPutObject(ctx, s.bucket, s.prefix+name, path, minio.PutObjectOptions{ContentType: "application/octet-stream"})
	return missing(err)
}

// Read implements Place.
func (s *S3) Read(ctx context.Context, name string, offset int64, p []byte) error {
	var o minio.GetObjectOptions
	if err := o.SetRange(offset, offset+int64(len(p))-1); err != nil {
		return err
	}
	r, err := s.client.GetObject(ctx, s.bucket, s.prefix+name, o)
	if err != nil {
		return missing(err)
	}
	defer func() { _ = r.Close() }()
	_, err = io.ReadFull(r, p)
	return missing(err)
}

// missing tells an object that is not there from a store that cannot be asked.
func missing(err error) error {
	if e, ok := errors.AsType[minio.ErrorResponse](err); ok && e.Code == minio.NoSuchKey {
		return fmt.Errorf("%w: %s", fs.ErrNotExist, e.Message)
	}
	return err
}
