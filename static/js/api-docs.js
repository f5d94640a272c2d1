// The interactive API docs: swagger-ui, with the session or with a token that the person types in.

const { document: address, csrfToken } = document.body.dataset;

// A classic script that runs before this module.
const { SwaggerUIBundle } = /** @type {Window & { SwaggerUIBundle?: any }} */ (window);

SwaggerUIBundle({
  url: address,
  dom_id: "#swagger-ui",
  layout: "BaseLayout",
  presets: [SwaggerUIBundle.presets.apis],
  deepLinking: true,
  // No third-party validator.
  validatorUrl: null,
  requestInterceptor: (request) => {
    request.headers["X-CSRFToken"] = csrfToken;
    return request;
  },
});
