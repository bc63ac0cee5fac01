import { Button, type ButtonProps } from "@repldock/ui";
import { useHydrated } from "./use-hydrated.ts";

/** A form's main button. It waits until the page can react, so that nothing is sent the browser's own way before. */
export function SubmitButton({ variant = "primary", disabled, ...rest }: ButtonProps) {
	const hydrated = useHydrated();
	return (
		<Button
			{...rest}
			type="submit"
			variant={variant}
			disabled={disabled || !hydrated}
			className={hydrated ? undefined : "waking"}
		/>
	);
}
