// Starts a program by one way of Go's standard library. Reads "WAY TARGET MARK" from standard input
// and prints the child's status.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	var way, target, mark string
	fmt.Scan(&way, &target, &mark)
	if way == "exec" {
		fmt.Println("error", syscall.Exec(target, []string{target, mark}, os.Environ()))
		return
	}
	command := exec.Command(target, mark)
	if way == "shell" {
		command = exec.Command("/bin/sh", "-c", target+" "+mark)
	}
	if way == "empty" {
		command.Env = []string{"A=1"}
	}
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.Run()
	fmt.Println("status", command.ProcessState.ExitCode())
}
