#!/bin/bash
# A tour of the machine your project runs on.

heading() {
	printf '\n\e[1;34m%s\e[0m\n' "$1"
}

heading "Colours"
for colour in {0..7}; do
	printf '\e[4%sm    \e[0m' "$colour"
done
printf '\n'

heading "Languages"
for program in python3 node go rustc java ruby php lua perl; do
	if path=$(command -v "$program"); then
		printf '%-8s %s\n' "$program" "$path"
	fi
done

heading "Machine"
echo "Processors: $(nproc)"
echo "Kernel:     $(uname --kernel-release)"

heading "This folder"
ls -A --color=always

echo
echo "Hello, $(whoami)! It is $(date +%H:%M)."

# What next?
#  - Ask a question: read -r -p "What is your name? " name
#  - Press Tab twice in the terminal to see what can be typed.
