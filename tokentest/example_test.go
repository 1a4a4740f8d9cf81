package tokentest_test

import (
	"fmt"
	"net/http"
	"net/url"

	"example.com/tokenactor/tokentest"
)

// stubborn is the program under test. When a refresh fails it simply tries once more,
// as many programs do.
func stubborn(client *http.Client, tokenURL string, form url.Values) (*http.Response, error) {
	resp, err := client.PostForm(tokenURL, form)
	if err != nil {
		resp, err = client.PostForm(tokenURL, form)
	}
	return resp, err
}

// A connection dies after the server has spent the refresh token. Sending that token again
// looks harmless, and logs the user out for good.
func Example() {
	srv := tokentest.New(tokentest.Options{})
	defer srv.Close()
	login := srv.Login()
	srv.Next(tokentest.Lost())

	resp, err := stubborn(srv.Client(), srv.TokenURL(), url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {login.RefreshToken},
		"client_id":     {srv.ClientID()},
		"client_secret": {srv.ClientSecret()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()

	fmt.Println(resp.Status)
	fmt.Printf("%+v\n", srv.Families()[0])
	for _, c := range srv.Calls() {
		fmt.Println(c.Grant, c.Serial, c.Outcome)
	}
	// Output:
	// 400 Bad Request
	// {ID:1 Serial:2 Alive:false RevokedByReuse:true Lost:true}
	// refresh_token 1 lost
	// refresh_token 1 reuse
}
