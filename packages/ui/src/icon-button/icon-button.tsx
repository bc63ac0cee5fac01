import type { ButtonHTMLAttributes, ReactNode, Ref } from "react";
import type { ButtonSize } from "../button/button.tsx";
import { classes } from "../classes.ts";
import { Tooltip } from "../tooltip/tooltip.tsx";

export interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "aria-label" | "children"> {
	/** The accessible name; also the tooltip. */
	label: string;
	icon: ReactNode;
	size?: ButtonSize | undefined;
	/** Keys that do the same, shown in the tooltip. */
	shortcut?: string | undefined;
	/** For a button that stays down; leave out for one that does not. */
	pressed?: boolean | undefined;
	ref?: Ref<HTMLButtonElement> | undefined;
}

export function IconButton({
	label,
	icon,
	size = "medium",
	shortcut,
	pressed,
	type = "button",
	className,
	...rest
}: IconButtonProps) {
	return (
		<Tooltip text={label} shortcut={shortcut} describes={false}>
			<button
				{...rest}
				type={type}
				className={classes("rd-icon-button", className)}
				data-size={size}
				aria-label={label}
				aria-pressed={pressed}
			>
				{icon}
			</button>
		</Tooltip>
	);
}
