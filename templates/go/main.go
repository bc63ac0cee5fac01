// Four animals race, each in its own goroutine.
package main

import (
	"fmt"
	"math/rand"
	"strings"
	"time"
)

const trackLength = 30

type step struct {
	runner   string
	position int
}

// run moves an animal to the end of the track and reports each step.
func run(name string, steps chan<- step) {
	random := rand.New(rand.NewSource(time.Now().UnixNano() + int64(len(name))))
	for position := 1; position <= trackLength; position++ {
		time.Sleep(time.Duration(random.Intn(30)) * time.Millisecond)
		steps <- step{name, position}
	}
}

func main() {
	runners := []string{"hare", "snail", "turtle", "hedgehog"} // Add one more!

	steps := make(chan step)
	for _, name := range runners {
		go run(name, steps)
	}

	var finished []string
	for len(finished) < len(runners) {
		s := <-steps
		if s.position%10 == 0 {
			fmt.Printf("%-9s %s>\n", s.runner, strings.Repeat("=", s.position))
		}
		if s.position == trackLength {
			finished = append(finished, s.runner)
		}
	}
	fmt.Printf("\nThe winner is the %s! Then came: %s.\n", finished[0], strings.Join(finished[1:], ", "))

	// What next? Give each animal its own speed, or let the hare take a nap.
}
