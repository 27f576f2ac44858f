from budapp.cli.main import main

main()
