import { OpenAPIHono } from "@hono/zod-openapi";
import type { ApiEnvironment } from "./context.ts";
import { inputError } from "./problems.ts";

/** An empty group of routes whose wrong inputs become problems. */
export function routeGroup() {
	return new OpenAPIHono<ApiEnvironment>({
		defaultHook: (result) => {
			if (!result.success) throw inputError(result.error);
		},
	});
}
