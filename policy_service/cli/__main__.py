"""`python -m policy_service.cli` is `policy-service`."""

from policy_service.cli import main

if __name__ == "__main__":
    main(prog_name="policy-service")
