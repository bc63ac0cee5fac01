# Read by every interactive bash, before the project's own .bashrc.
[ -z "$PS1" ] && return

# HOME is the project folder itself, so "~" alone would say nothing: show ~/<project>/folder.
__repldock_prompt_folder() {
	case $PWD in
		"$HOME") printf '~/%s' "${HOME##*/}" ;;
		"$HOME"/*) printf '~/%s/%s' "${HOME##*/}" "${PWD#"$HOME"/}" ;;
		*) printf '%s' "$PWD" ;;
	esac
}
PS1='\[\e[1;34m\]$(__repldock_prompt_folder)\[\e[0m\]\$ '

shopt -s checkwinsize histappend globstar
HISTCONTROL=ignoreboth
HISTSIZE=10000
HISTFILE=${XDG_DATA_HOME:-$HOME/.local/share}/bash/history
mkdir -p "${HISTFILE%/*}" 2>/dev/null || unset HISTFILE

eval "$(dircolors -b)"
alias ls='ls --color=auto'
alias ll='ls -lh --color=auto'
alias grep='grep --color=auto'

if ! shopt -oq posix && [ -r /usr/share/bash-completion/bash_completion ]; then
	. /usr/share/bash-completion/bash_completion
fi
