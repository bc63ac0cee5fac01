import type { AnchorHTMLAttributes, ButtonHTMLAttributes, MouseEvent, ReactNode, Ref } from "react";
import { classes } from "../classes.ts";
import { Spinner } from "../spinner/spinner.tsx";

export type ButtonVariant = "primary" | "secondary" | "quiet" | "positive" | "danger";
export type ButtonSize = "small" | "medium" | "large";

interface ButtonLook {
	variant?: ButtonVariant | undefined;
	size?: ButtonSize | undefined;
	/** Stands before the text. */
	icon?: ReactNode;
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement>, ButtonLook {
	/** Work is under way: shows a spinner, keeps its width and the focus, ignores presses. */
	pending?: boolean | undefined;
	ref?: Ref<HTMLButtonElement> | undefined;
}

export function Button({
	variant = "secondary",
	size = "medium",
	icon,
	pending = false,
	type = "button",
	className,
	onClick,
	children,
	...rest
}: ButtonProps) {
	function press(event: MouseEvent<HTMLButtonElement>) {
		if (pending) event.preventDefault();
		else onClick?.(event);
	}
	return (
		<button
			{...rest}
			type={type}
			className={classes("rd-button", className)}
			data-variant={variant}
			data-size={size}
			aria-disabled={pending || undefined}
			aria-busy={pending || undefined}
			onClick={press}
		>
			<span className="rd-button-content">
				{icon}
				{children !== undefined && <span>{children}</span>}
			</span>
			{pending && <Spinner size={16} />}
		</button>
	);
}

export interface LinkButtonProps extends AnchorHTMLAttributes<HTMLAnchorElement>, ButtonLook {
	href: string;
}

/** A link that looks like a button, for what leads to another page. */
export function LinkButton({
	variant = "secondary",
	size = "medium",
	icon,
	className,
	children,
	...rest
}: LinkButtonProps) {
	return (
		<a {...rest} className={classes("rd-button", className)} data-variant={variant} data-size={size}>
			<span className="rd-button-content">
				{icon}
				<span>{children}</span>
			</span>
		</a>
	);
}
