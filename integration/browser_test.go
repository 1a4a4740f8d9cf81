package integration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// A browser is a user with a browser: it fills in the forms that it is shown, sends
// them off, and follows redirects, until there is no form left.
type browser struct {
	name, password string

	// refuse says no where the page asks: the link whose address has it is followed.
	refuse string
	// agree is a link that is to be followed where a page has it instead of a form.
	agree string
}

// with runs a login, which is given a browser to open an address with. The browser
// does its work beside the program, as browsers do; what goes wrong there ends the login.
func (b browser) with(t testing.TB, login func(ctx context.Context, open func(context.Context, string) error) error) error {
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, errors.New("the test has waited long enough"))
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	donec := make(chan struct{}) // closed when the browser has nothing to do any more
	defer func() { <-donec }()
	return login(ctx, func(ctx context.Context, address string) error {
		go func() {
			defer close(donec)
			if err := b.visit(ctx, address); err != nil {
				fail(fmt.Errorf("browser: %w", err))
			}
		}()
		return nil
	})
}

// visit opens address and does all that the pages ask.
func (b browser) visit(ctx context.Context, address string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Jar: jar, Transport: transport, Timeout: time.Minute}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	for range 10 {
		if err != nil {
			return err
		}
		p, err2 := load(client, req)
		if err2 != nil {
			return err2
		}
		link := func(part string) int {
			return slices.IndexFunc(p.links, func(l string) bool { return part != "" && strings.Contains(l, part) })
		}
		switch i, j := link(b.refuse), link(b.agree); {
		case i >= 0:
			req, err = p.follow(ctx, p.links[i])
		case j >= 0:
			req, err = p.follow(ctx, p.links[j])
		case p.form != nil && !p.asksForCode():
			req, err = p.submit(ctx, b)
		default:
			return nil
		}
	}
	return errors.New("the pages have no end")
}

// A page is what the browser sees: its first form, and where its links lead.
type page struct {
	url    *url.URL
	form   url.Values // nil: it has none
	action string
	links  []string
}

// load sends req and reads the page that comes of it.
func load(client *http.Client, req *http.Request) (*page, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	root, err := html.Parse(resp.Body)
	if err != nil {
		return nil, err
	}
	p := &page{url: resp.Request.URL}
	p.read(root, false)
	if resp.StatusCode >= 400 && p.url.Path != "/callback" { // a login that was refused ends with 400 or so
		return nil, fmt.Errorf("%s answers %s", p.url.Redacted(), resp.Status)
	}
	return p, nil
}

// read takes what counts out of the tree.
func (p *page) read(n *html.Node, inForm bool) {
	switch n.Data {
	case "form":
		if inForm = p.form == nil; inForm {
			p.form, p.action = url.Values{}, attribute(n, "action")
		}
	case "input":
		if inForm && attribute(n, "name") != "" {
			p.form.Set(attribute(n, "name"), attribute(n, "value"))
		}
	case "a":
		p.links = append(p.links, attribute(n, "href"))
	case "button": // location.href='./confirm?action=allowed'
		if _, to, found := strings.Cut(attribute(n, "onclick"), "'"); found {
			p.links = append(p.links, strings.TrimSuffix(to, "'"))
		}
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		p.read(child, inForm)
	}
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func (p *page) follow(ctx context.Context, link string) (*http.Request, error) {
	to, err := p.url.Parse(link)
	if err != nil {
		return nil, err
	}
	return http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
}

// asksForCode reports whether the form wants a code for another device, which a
// browser that was given one in its address does not have.
func (p *page) asksForCode() bool { return p.form.Has("user_code") && p.form.Get("user_code") == "" }

// submit fills the form in.
func (p *page) submit(ctx context.Context, b browser) (*http.Request, error) {
	for field := range p.form {
		switch field {
		case "login", "username":
			p.form.Set(field, b.name)
		case "password":
			p.form.Set(field, b.password)
		}
	}
	to, err := p.url.Parse(p.action)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), strings.NewReader(p.form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}
